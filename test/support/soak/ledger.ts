/**
 * What became of each message of one end of a connection: sent or not, and what was received. In shared memory, so
 * that it outlives a worker that is terminated.
 */

/** How many messages one end sends at most. */
export const MOST = 4096;

const PENDING = 1;
const SENT = 2;
const UNSENT = 3;
const STATE = 3;
/** The message has no bytes, and so no sequence number that could be read. */
const EMPTY_KIND = 4;

/** Stands in the list of what was received for a message without a sequence number. */
export const EMPTY = -1;
/** Empty ones and repeated ends of file come on top. */
const MOST_RECEIVED = 2 * MOST;

export interface Account {
  readonly states: Uint8Array;
  /** Sequence numbers in the order in which they came; EMPTY for empty messages. */
  readonly received: Int32Array;
  readonly numbers: Int32Array;
}

export class Ledger {
  readonly memory: SharedArrayBuffer;
  readonly #states: Uint8Array;
  readonly #received: Int32Array;
  /** How many messages were begun, how many received, whether the end of file was. */
  readonly #numbers: Int32Array;

  constructor(memory = new SharedArrayBuffer(12 + 4 * MOST_RECEIVED + MOST)) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory, 0, 3);
    this.#received = new Int32Array(memory, 12, MOST_RECEIVED);
    this.#states = new Uint8Array(memory, 12 + 4 * MOST_RECEIVED, MOST);
  }

  get begun(): number {
    return this.#numbers[0] as number;
  }

  /** The sequence number of a message that is about to be sent. */
  begin(isEmpty: boolean): number {
    const sequence = this.#numbers[0]!;
    this.#states[sequence] = PENDING | (isEmpty ? EMPTY_KIND : 0);
    this.#numbers[0] = sequence + 1;
    return sequence;
  }

  sent(sequence: number): void {
    this.#settle(sequence, SENT);
  }

  unsent(sequence: number): void {
    this.#settle(sequence, UNSENT);
  }

  #settle(sequence: number, state: number): void {
    const before = this.#states[sequence]!;
    if ((before & STATE) !== PENDING) throw new Error(`Message ${sequence} has settled twice`);
    this.#states[sequence] = (before & EMPTY_KIND) | state;
  }

  received(sequence: number): void {
    const count = this.#numbers[1]!;
    if (count === MOST_RECEIVED) throw new Error('More was received than can have been sent');
    this.#received[count] = sequence;
    this.#numbers[1] = count + 1;
  }

  ended(): void {
    this.#numbers[2] = 1;
  }

  get account(): Account {
    const [begun, received] = this.#numbers as unknown as [number, number];
    return {
      states: Uint8Array.from(this.#states.subarray(0, begun)),
      received: Int32Array.from(this.#received.subarray(0, received)),
      numbers: Int32Array.from(this.#numbers),
    };
  }
}

/**
 * Compares what one end has sent with what the other end has received.
 *
 * @param mayEndWithEmpty whether the end of file was noted as empty messages, since this receiver did not tell the two
 *   apart
 * @param isTerminated whether what is pending belongs to a thread that was terminated: it may have been sent
 * @returns what is wrong
 */
export function compare(
  sender: Account,
  receiver: Account,
  { mayEndWithEmpty, isTerminated }: { mayEndWithEmpty: boolean; isTerminated: boolean },
): string[] {
  const faults: string[] = [];
  const { states } = sender;
  const received = [...receiver.received];
  const reachedEnd = receiver.numbers[2] === 1;
  if (mayEndWithEmpty && reachedEnd) while (received.at(-1) === EMPTY) received.pop();
  const state = (sequence: number) => states[sequence]! & STATE;
  const isEmpty = (sequence: number) => (states[sequence]! & EMPTY_KIND) !== 0;
  let next = 0;
  const passOver = (until: (sequence: number) => boolean) => {
    for (; next < states.length && !until(next); next++) {
      if (state(next) === SENT) faults.push(`${isEmpty(next) ? 'empty ' : ''}message ${next} was lost`);
    }
  };
  for (const sequence of received) {
    if (sequence === EMPTY) {
      const start = next;
      while (next < states.length && (state(next) === UNSENT || !isEmpty(next)) && state(next) !== SENT)
        next++;
      if (next === states.length || !isEmpty(next)) {
        faults.push(`an empty message after message ${start - 1} was never sent`);
        next = start;
        continue;
      }
    } else {
      passOver((each) => each === sequence);
      if (next === states.length) {
        faults.push(`message ${sequence} was received twice, too late, or was never sent`);
        break;
      }
      if (state(sequence) === UNSENT) faults.push(`message ${sequence} was reported as not sent`);
    }
    next++;
  }
  if (reachedEnd) passOver((each) => mayEndWithEmpty && isEmpty(each) && isEmptyFrom(each));
  if (!isTerminated) {
    for (let i = 0; i < states.length; i++)
      if (state(i) === PENDING) faults.push(`message ${i} never settled`);
  }
  return faults;

  function isEmptyFrom(sequence: number): boolean {
    for (let i = sequence; i < states.length; i++) if (state(i) === SENT && !isEmpty(i)) return false;
    return true;
  }
}
