import { constants } from 'node:os';
import type { SeqpacketError } from 'seqpacket';

/** The outcome of a call: `{ value }`, or `{ error }` as the test describes errors, `'sendmsg EPIPE'`. */
export type Outcome = { readonly value: unknown } | { readonly error: string };

export function failed(error: string): Outcome {
  return { error };
}

export function isError(outcome: Outcome | undefined, error: string): boolean {
  return outcome !== undefined && 'error' in outcome && outcome.error === error;
}

/** A short form of an error: `'sendmsg EPIPE'`. */
export function described(error: unknown): string {
  if (!(error instanceof Error)) return `not an error: ${error}`;
  const { code, syscall, errno, messageSize, messagesSent, cause } = error as SeqpacketError & {
    messagesSent?: number;
  };
  const suffix = messagesSent === undefined ? '' : ` after ${messagesSent}`;
  if (code === 'ABORT_ERR') return `${code}: ${cause}${suffix}`;
  if (syscall === undefined) return code ?? String(error);
  const expected = code === 'EOF' ? -4095 : -constants.errno[code as keyof typeof constants.errno];
  const words = [syscall, code];
  if (messageSize !== undefined) words.push(String(messageSize));
  if (errno !== expected) words.push(`(wrong errno: ${errno})`);
  return words.join(' ') + suffix;
}

/** The outcome of a synchronous call. */
export function outcomeOf(call: () => unknown): Outcome {
  try {
    return { value: call() };
  } catch (error) {
    return failed(described(error));
  }
}

/** The outcome of a call without a result. */
export function done(error: string | undefined): Outcome {
  return error === undefined ? { value: undefined } : failed(error);
}
