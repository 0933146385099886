/**
 * The queue of operations that may have to wait: the core of the library.
 *
 * An operation is tried at once. If it would block, it is appended to its queue. It is tried again when the waker of
 * the queue reports a reason (readiness.ts, or a timer for connect). Operations are served in the order of the calls,
 * and none overtakes another. A cancelled or aborted operation leaves the queue without effect, because only a
 * successful try has an effect.
 *
 * When the time slice of a turn of the event loop is over (turn.ts), the operations continue in the next turn. A flood
 * on one socket therefore never starves timers or other sockets.
 */

import { caller } from '../caller';
import { publishError } from '../diagnostics';
import { AbortError } from '../errors';
import { EAGAIN, ECANCELED } from '../system/linux';
import { now } from '../system/timers';
import { type Abortable, addAbortable, removeAbortable } from './abort';
import { deferToNextTurn, hasTime, rejection, updateSlice } from './turn';

/** The result of a try that would block. */
export const WOULD_BLOCK: unique symbol = Symbol('would block');

/** The result of a try that did a part of its work and can continue at once. */
export const UNFINISHED: unique symbol = Symbol('unfinished');

/** One operation, as its queue sees it. */
export interface Attempt<T> {
  /** Tries the operation once. Returns the result or the reason that there is none yet, or throws the error. */
  try(): T | typeof WOULD_BLOCK | typeof UNFINISHED;
  /** Creates the error of this operation for a negative errno. */
  failure(errno: number): Error;
  /** Whether the first try must not be skipped in favor of waiting for readiness. */
  readonly needsFirstTry?: boolean;
  /** Whether the operation fails with EAGAIN instead of waiting. */
  readonly doesNotWait?: boolean;
  /** Adds information to the error of an abort, for an operation that may have done a part of its work. */
  aborted?(error: Error): Error;
  /** Called before the operation begins to wait. */
  beginWaiting?(): void;
  /** Called after the last try of an operation that has waited. */
  endWaiting?(): void;
}

/** A kind of operation without options, which is described by a side of a socket and one argument. */
export interface PlainOperation<Side, Argument, T> {
  /** Tries the operation once, as its attempt does. */
  try(side: Side, argument: Argument): T | typeof WOULD_BLOCK;
  /** Makes the attempt. */
  attempt(side: Side, argument: Argument): Attempt<T>;
}

/** Calls `proceed()` of a waiting queue when there is a reason to try again, until the queue leaves. */
export interface Waker {
  /** Begins to wait. Called again after each try that would block. */
  wait(queue: OperationQueue): void;
  /** Ends the wait. */
  leave(queue: OperationQueue): void;
}

export const READABLE = 1;
export const WRITABLE = 2;
export type Direction = typeof READABLE | typeof WRITABLE;

/** The maximum number of operations that one queue completes before the other queues that are due. */
const OPERATIONS_PER_VISIT = 32;

/**
 * After this number of consecutive operations whose first try would block, the next operations wait without a first
 * try, which spares 0.6 µs for each wait. One in PROBE_EVERY is still tried, to detect that operations can complete at
 * once again. Without that, messages one way would take 1.7 times as long.
 */
const BLOCKED_TRIES_BEFORE_SKIPPING = 4;
const PROBE_EVERY = 8;

/** The operations of one direction on one socket. */
export class OperationQueue {
  readonly direction: Direction;
  readonly #waker: Waker;
  #first: Operation | undefined;
  #last: Operation | undefined;
  /** How long an operation is retried in a loop before it waits, in milliseconds. */
  spin = 0;
  #isWaiting = false;
  #isDeferred = false;
  /** Whether the queue may contain an operation that does not wait for readiness, but only for its turn. */
  #hasNonWaiting = false;
  /** The number of consecutive operations whose first try would block, or was skipped. */
  #blockedFirstTries = 0;

  constructor(waker: Waker, direction: Direction) {
    this.#waker = waker;
    this.direction = direction;
  }

  /** The number of waiting operations. */
  get length(): number {
    let length = 0;
    for (let each = this.#first; each !== undefined; each = each.next) length++;
    return length;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Tries an operation without options at once, as {@link run}. Makes its attempt only if it has to wait. */
  runPlain<Side, Argument, T>(
    operation: PlainOperation<Side, Argument, T>,
    side: Side,
    argument: Argument,
  ): Promise<T> {
    const isTried =
      this.#first === undefined &&
      this.#blockedFirstTries < BLOCKED_TRIES_BEFORE_SKIPPING &&
      this.spin === 0 &&
      hasTime();
    if (!isTried) return this.run(operation.attempt(side, argument), undefined);
    try {
      const result = operation.try(side, argument);
      if (result !== WOULD_BLOCK) return this.#completed(result);
      const attempt = operation.attempt(side, argument);
      this.#blockedFirstTries++;
      attempt.beginWaiting?.();
      const promise = this.#append(attempt, undefined);
      this.#wait();
      return promise;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #completed<T>(result: T): Promise<T> {
    this.#blockedFirstTries = 0;
    return Promise.resolve(result);
  }

  #failed(error: unknown): Promise<never> {
    const rejected = Promise.reject(error);
    publishError(error);
    return rejected;
  }

  /** Tries the operation at once, or appends it to the queue. */
  run<T>(attempt: Attempt<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) {
      const error = new AbortError(signal);
      return rejection(attempt.aborted?.(error) ?? error);
    }
    const isFirst = this.#first === undefined;
    let isTried = false;
    let waits = false;
    try {
      if (this.#isWaiting && attempt.doesNotWait && hasTime()) {
        return Promise.reject(attempt.failure(-EAGAIN));
      }
      if (
        isFirst &&
        this.#skipsFirstTry() &&
        attempt.needsFirstTry !== true &&
        attempt.doesNotWait !== true
      ) {
        waits = true;
      } else if (isFirst && hasTime()) {
        isTried = true;
        let result = attempt.try();
        if (result === WOULD_BLOCK && this.spin > 0) result = this.#trySpinning(attempt);
        if (result !== WOULD_BLOCK && result !== UNFINISHED) {
          return this.#completed(result);
        }
        waits = result === WOULD_BLOCK;
        if (waits) this.#blockedFirstTries++;
      }
      attempt.beginWaiting?.();
    } catch (error) {
      if (isTried) return this.#failed(error);
      attempt = new FailedAttempt(attempt, error);
      waits = false;
    }
    const promise = this.#append(attempt, signal);
    if (waits) this.#wait();
    else if (isFirst || attempt.doesNotWait) this.#proceedNextTurn();
    return promise;
  }

  /** Tries the waiting operations in order, until one would block or the time slice is over. */
  proceed(): void {
    this.#isDeferred = false;
    for (let served = 0; this.#first !== undefined; served++) {
      if (served === OPERATIONS_PER_VISIT || !hasTime()) {
        this.#proceedNextTurn();
        return;
      }
      if (!this.#tryFirst(this.#first)) return;
    }
  }

  /** Tries the waiting operations in order, until one would block. Ignores the time slice. */
  flush(): void {
    while (this.#first !== undefined && this.#tryFirst(this.#first)) {}
  }

  /** Tries the first operation. Returns false if it would block. */
  #tryFirst(first: Operation): boolean {
    let result: unknown;
    try {
      caller.mayBeOnStack = false;
      result = first.attempt.try();
      caller.mayBeOnStack = true;
    } catch (error) {
      caller.mayBeOnStack = true;
      this.remove(first);
      first.reject(error);
      publishError(error);
      return true;
    }
    if (result === UNFINISHED) return true;
    if (result === WOULD_BLOCK) {
      this.#wait();
      return false;
    }
    this.remove(first);
    first.resolve(result);
    return true;
  }

  /** Whether to skip the first try of an operation, because it would probably block. */
  #skipsFirstTry(): boolean {
    if (this.#blockedFirstTries < BLOCKED_TRIES_BEFORE_SKIPPING || this.spin > 0) return false;
    this.#blockedFirstTries++;
    return this.#blockedFirstTries % PROBE_EVERY !== 0;
  }

  #trySpinning<T>(attempt: Attempt<T>): T | typeof WOULD_BLOCK | typeof UNFINISHED {
    const start = now();
    let time = start;
    let result: T | typeof WOULD_BLOCK | typeof UNFINISHED;
    do {
      result = attempt.try();
      time = now();
    } while (result === WOULD_BLOCK && time - start < this.spin);
    updateSlice(start);
    updateSlice(time);
    return result;
  }

  /** Rejects all waiting operations with the error, or with `ECANCELED`. */
  cancel(error?: unknown): void {
    for (let first = this.#first; first !== undefined; first = this.#first) {
      this.remove(first);
      first.reject(error ?? first.attempt.failure(-ECANCELED));
    }
  }

  /** Resolves the waiting operations that are over with the result, without trying them. */
  finish(isOver: (attempt: Attempt<unknown>) => boolean, result: unknown): void {
    for (let each = this.#first; each !== undefined; each = each.next) {
      if (!isOver(each.attempt)) continue;
      this.leave(each);
      each.resolve(result);
    }
  }

  #append<T>(attempt: Attempt<T>, signal: AbortSignal | undefined): Promise<T> {
    const promise: Promise<unknown> = new Promise(executor);
    const operation = new Operation(this, attempt, signal);
    operation.previous = this.#last;
    if (this.#last === undefined) this.#first = operation;
    else this.#last.next = operation;
    this.#last = operation;
    if (attempt.doesNotWait) this.#hasNonWaiting = true;
    return promise as Promise<T>;
  }

  /** Removes an unfinished operation. If a new one becomes the first, it is tried in the next turn. */
  leave(operation: Operation): void {
    const wasFirst = operation === this.#first;
    this.remove(operation);
    if (wasFirst && this.#first !== undefined) this.#proceedNextTurn();
  }

  /** Removes an operation, which is not tried again. */
  remove(operation: Operation): void {
    const { previous, next } = operation;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    operation.detach();
    if (this.#first === undefined && this.#isWaiting) {
      this.#isWaiting = false;
      this.#waker.leave(this);
    }
  }

  #wait(): void {
    try {
      this.#waker.wait(this);
      this.#isWaiting = true;
    } catch (error) {
      this.cancel(error);
    }
    if (this.#hasNonWaiting) this.#refuseNonWaiting();
  }

  /** Rejects the operations that do not wait, because the first operation has to wait. */
  #refuseNonWaiting(): void {
    this.#hasNonWaiting = false;
    for (let each = this.#first; each !== undefined; each = each.next) {
      if (!each.attempt.doesNotWait) continue;
      this.remove(each);
      each.reject(each.attempt.failure(-EAGAIN));
    }
  }

  #proceedNextTurn(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    deferToNextTurn(this);
  }
}

/** An operation that has already failed. Its promise is rejected after the operations before it have settled. */
class FailedAttempt implements Attempt<never> {
  constructor(
    private readonly attempt: Attempt<unknown>,
    private readonly error: unknown,
  ) {}

  try(): never {
    throw this.error;
  }

  get doesNotWait(): boolean {
    return this.attempt.doesNotWait === true;
  }

  failure(errno: number): Error {
    return this.attempt.failure(errno);
  }
}

/** The functions of the promise that was created last, so that a promise needs no closure. */
let resolveLast: (value: unknown) => void;
let rejectLast: (error: unknown) => void;

function executor(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  resolveLast = resolve;
  rejectLast = reject;
}

/** A waiting operation. It settles the promise that was created last before it. */
class Operation implements Abortable {
  readonly resolve = resolveLast;
  readonly reject = rejectLast;
  next: Operation | undefined = undefined;
  previous: Operation | undefined = undefined;

  constructor(
    readonly queue: OperationQueue,
    readonly attempt: Attempt<unknown>,
    readonly signal: AbortSignal | undefined,
  ) {
    if (signal !== undefined) addAbortable(signal, this);
  }

  abort(error: AbortError): void {
    this.queue.leave(this);
    this.reject(this.attempt.aborted?.(error) ?? error);
  }

  detach(): void {
    if (this.signal !== undefined) removeAbortable(this.signal, this);
    this.attempt.endWaiting?.();
  }
}
