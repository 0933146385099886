/** The errors of the library, made as Node's own modules make theirs. */
import { getSystemErrorMap, inspect, types } from 'node:util';
import { fromCaller } from './caller';
import { EBADF, EMSGSIZE } from './system/linux';

/** What a failed system call rejects with or throws. */
export interface SeqpacketError extends Error {
  /** The name of the error: `'ECONNREFUSED'`, …, or `'EOF'` at end of file. */
  code: string;
  /** The negative error number. */
  errno: number;
  /** The system call that failed, or that would have been made. */
  syscall: string;
  /** The address of the socket, as it was given, where there is one. */
  address?: string | Buffer;
  /** With `EMSGSIZE`: the length of the whole message, in bytes, of one that was received or that was to be sent. */
  messageSize?: number;
}

/** Errors of these calls that libuv has no name for (errno(3)). */
const UNNAMED_BY_LIBUV = new Map<number, [string, string]>([
  [-109, ['ETOOMANYREFS', 'too many references: descriptors in flight exceed RLIMIT_NOFILE']],
]);

/** Made once: Node.js makes a new map for each call, which takes ten times as long as the rest of an error. */
let systemErrors: Map<number, [string, string]> | undefined;

function describe(errno: number): [code: string, description: string] {
  systemErrors ??= getSystemErrorMap();
  return (
    systemErrors.get(errno) ?? UNNAMED_BY_LIBUV.get(errno) ?? [`ERRNO_${-errno}`, 'unknown system error']
  );
}

/** libuv's number for end of file (uv.h). */
const UV_EOF = -4095;

/**
 * @param errno the negative error number
 * @param detail what is known beyond the error number
 */
export function systemError(
  syscall: string,
  errno: number,
  address?: string | Buffer,
  detail?: string,
): SeqpacketError {
  const [code, description] = describe(errno);
  const named = address === undefined || address.length === 0 ? undefined : address;
  const where = named === undefined ? '' : ` ${printable(named)}`;
  const more = detail === undefined ? '' : `, ${detail}`;
  const error = fromCaller(
    () => new Error(`${syscall} ${code}: ${description}${more}${where}`),
  ) as SeqpacketError;
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (named !== undefined) error.address = named;
  return error;
}

/** What a socket says that has no descriptor, as the kernel would say it. */
export function notOpen(syscall: string, wasOpen: boolean, address?: string | Buffer): SeqpacketError {
  return systemError(syscall, -EBADF, address, wasOpen ? 'the socket is closed' : 'the socket is not open');
}

/** A message was longer than the send buffer allows, in bytes. */
export function tooLongToSend(messageSize: number, sendBufferSize: number, address?: string | Buffer) {
  const detail = `${messageSize} bytes with a sendBufferSize of ${sendBufferSize}`;
  return Object.assign(systemError('sendmsg', -EMSGSIZE, address, detail), { messageSize });
}

/** recvmsg(2) found the end: the peer sends no more, and all that it sent was received. */
export function endOfFile(address?: string | Buffer): SeqpacketError {
  return systemError('recvmsg', UV_EOF, address);
}

/** An abstract name is shown with `@` for each NUL, as ss(8) and /proc/net/unix do. */
function printable(address: string | Buffer): string {
  const text = typeof address === 'string' ? address : address.toString('latin1');
  return text.replaceAll('\0', '@');
}

/** The operation's `AbortSignal` was aborted; `cause` is the signal's reason. */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  constructor(signal: AbortSignal) {
    super('The operation was aborted', { cause: signal.reason });
    this.name = 'AbortError';
  }
}

function coded<E extends Error>(error: E, code: string): E & { code: string } {
  return Object.assign(error, { code });
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${received(value)}`;
  return coded(
    fromCaller(() => new TypeError(message)),
    'ERR_INVALID_ARG_TYPE',
  );
}

export function invalidValue(name: string, reason: string, value: unknown): TypeError {
  const message = `The argument '${name}' ${reason}. Received ${inspect(value)}`;
  return coded(
    fromCaller(() => new TypeError(message)),
    'ERR_INVALID_ARG_VALUE',
  );
}

export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`;
  return coded(
    fromCaller(() => new RangeError(message)),
    'ERR_OUT_OF_RANGE',
  );
}

export function invalidState(message: string): Error {
  return coded(
    fromCaller(() => new Error(message)),
    'ERR_INVALID_STATE',
  );
}

export function unsupported(message: string): Error {
  return coded(
    fromCaller(() => new Error(message)),
    'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
  );
}

export function unsupportedInWorker(message: string): Error {
  return coded(new Error(message), 'ERR_WORKER_UNSUPPORTED_OPERATION');
}

function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value !== 'object') return `type ${typeof value} (${inspect(value)})`;
  // Its constructor would be that of what is behind it.
  if (types.isProxy(value)) return 'a Proxy';
  const name = value.constructor?.name;
  return name ? `an instance of ${name}` : inspect(value, { depth: -1 });
}
