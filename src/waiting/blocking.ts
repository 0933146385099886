/**
 * Blocking calls: an attempt is tried until it completes, and the thread sleeps in poll(2) between two tries.
 *
 * A sleep takes at most 50 ms. Then the thread returns to JavaScript, where the runtime ends it if another thread has
 * called `worker.terminate()` or `process.exit()`. This needs no function of libuv, and no exception.
 *
 * O_NONBLOCK and the timeouts of sockets (SO_RCVTIMEO) are not used: other processes may share them.
 */
import { publishError } from '../diagnostics';
import { systemError } from '../errors';
import { EBUSY, EINTR, ETIMEDOUT, POLLIN, POLLOUT } from '../system/linux';
import { os } from '../system/os';
import { now } from '../system/timers';
import {
  type Attempt,
  type Direction,
  type OperationQueue,
  READABLE,
  type UNFINISHED,
  WOULD_BLOCK,
} from './operation-queue';

/** The longest sleep, in milliseconds. It is the longest time for which a thread cannot be terminated. */
const LONGEST_SLEEP_MS = 50;

/** The number of receives that wait without a first try, after a receive whose first try would have blocked. */
const SKIPPED_TRIES = 7;

type Pending = typeof WOULD_BLOCK | typeof UNFINISHED;
type Outcome<T> = T | Pending;

/**
 * Sleeps until there may be a reason to try again, for at most the given time in milliseconds.
 *
 * @returns a negative errno if the system call has failed
 */
export type Sleep = (milliseconds: number) => number;

/** Sleeps until the descriptor is ready in a direction. */
export function untilReady(fd: number, direction: Direction): Sleep {
  const events = direction === READABLE ? POLLIN : POLLOUT;
  return (milliseconds) => os.poll(fd, events, milliseconds);
}

/** The blocking calls of one direction on one socket. */
export class BlockingCalls {
  readonly #queue: OperationQueue;
  readonly #sleep: Sleep;
  /** The number of the next calls that wait without a first try. */
  #skippedTries = 0;

  /** @param queue the asynchronous operations of the direction */
  constructor(queue: OperationQueue, sleep: Sleep) {
    this.#queue = queue;
    this.#sleep = sleep;
  }

  /**
   * Runs an attempt until it completes.
   *
   * @param timeout how long to wait, in milliseconds; without a limit if undefined
   * @throws the error of the attempt; `EBUSY` while asynchronous operations wait; `ETIMEDOUT`
   */
  run<T>(attempt: Attempt<T>, timeout: number | undefined): T {
    const queue = this.#queue;
    if (!queue.isEmpty) throw attempt.failure(-EBUSY);
    if (this.#skippedTries > 0 && timeout !== 0 && this.#maySkipTry(attempt)) {
      this.#skippedTries--;
      return complete(attempt, WOULD_BLOCK, timeout, this.#sleep);
    }
    let outcome = tryOnce(attempt);
    if (!isPending(outcome)) return outcome;
    if (outcome === WOULD_BLOCK) {
      if (queue.spin > 0) {
        const start = now();
        outcome = trySpinning(attempt, Math.min(queue.spin, timeout ?? queue.spin));
        if (timeout !== undefined) timeout = Math.max(0, timeout - (now() - start));
      }
      // A receive would block exactly if the socket is not readable. A send may succeed on a socket that is not writable.
      else if (queue.direction === READABLE) this.#skippedTries = SKIPPED_TRIES;
    }
    return complete(attempt, outcome, timeout, this.#sleep);
  }

  #maySkipTry({ needsFirstTry, doesNotWait }: Attempt<unknown>): boolean {
    return needsFirstTry !== true && doesNotWait !== true && this.#queue.spin === 0;
  }
}

/**
 * Completes an attempt that was tried with the given outcome: sleeps and tries again.
 *
 * @param timeout how long to wait, in milliseconds; without a limit if undefined
 * @throws the error of the attempt; `ETIMEDOUT`
 */
export function complete<T>(
  attempt: Attempt<T>,
  outcome: Outcome<T>,
  timeout: number | undefined,
  sleep: Sleep,
): T {
  if (!isPending(outcome)) return outcome;
  if (outcome === WOULD_BLOCK && timeout === 0) throw attempt.failure(-ETIMEDOUT);
  const deadline = timeout === undefined ? undefined : now() + timeout;
  let left = timeout ?? LONGEST_SLEEP_MS;
  attempt.beginWaiting?.();
  try {
    for (let last: Pending = outcome; ; ) {
      if (last === WOULD_BLOCK) {
        if (left <= 0) throw attempt.failure(-ETIMEDOUT);
        const slept = sleep(Math.min(Math.ceil(left), LONGEST_SLEEP_MS));
        if (slept < 0 && slept !== -EINTR) throw sleepFailure(attempt, slept);
      } else if (left <= 0 && timeout !== 0) {
        throw attempt.failure(-ETIMEDOUT);
      }
      const next = tryOnce(attempt);
      if (!isPending(next)) return next;
      last = next;
      if (deadline !== undefined) left = deadline - now();
    }
  } finally {
    attempt.endWaiting?.();
  }
}

/** Faster than comparing a result of any type with both symbols. */
function isPending(outcome: unknown): outcome is Pending {
  return typeof outcome === 'symbol';
}

export function tryOnce<T>(attempt: Attempt<T>): Outcome<T> {
  try {
    return attempt.try();
  } catch (error) {
    publishError(error);
    throw error;
  }
}

/** Tries again for the given time in milliseconds (`busyPoll`). */
function trySpinning<T>(attempt: Attempt<T>, spin: number): Outcome<T> {
  const end = now() + spin;
  let outcome: Outcome<T>;
  do outcome = tryOnce(attempt);
  while (outcome === WOULD_BLOCK && now() < end);
  return outcome;
}

function sleepFailure(attempt: Attempt<unknown>, errno: number): Error {
  const error = systemError('poll', errno);
  return attempt.aborted?.(error) ?? error;
}
