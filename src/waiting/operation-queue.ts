/**
 * Operations that may have to wait: the heart of the library.
 *
 * An operation is tried at once. If it would block, it joins its queue and is tried again when its
 * waker (readiness.ts, or a timer for connect) says so. Operations are served in their order;
 * none overtakes another. A cancelled or aborted operation leaves the queue. Only a successful try has any effect,
 * so that it had none.
 *
 * When the time slice of a turn of the event loop is over (turn.ts), operations go on in the next one, so that
 * no flood on one socket starves timers and other sockets.
 */

import { publishError } from '../diagnostics';
import { AbortError } from '../errors';
import { EAGAIN, ECANCELED } from '../system/linux';
import { now } from '../system/timers';
import { type Abortable, unwatch, watch } from './abort';
import { checkTime, deferToNextTurn, hasTime, rejection } from './turn';

/** What a try returns that has to wait. */
export const WOULD_BLOCK: unique symbol = Symbol('would block');

/** What a try returns that did a part of its work, and could go on. */
export const UNFINISHED: unique symbol = Symbol('not done');

export interface Attempt<T> {
  /** Does it, now: returns the result, throws the error, or says why there is none yet. */
  try(): T | typeof WOULD_BLOCK | typeof UNFINISHED;
  /** Makes the error of this operation for a negative errno. */
  failure(errno: number): Error;
  /** Whether it cannot be left to readiness alone when to try this first. */
  readonly needsFirstTry?: boolean;
  /** Whether it fails with EAGAIN in place of waiting. */
  readonly doesNotWait?: boolean;
  /** Adds to the error of an abort, in an operation that may have done a part of its work. */
  aborted?(error: Error): Error;
  /** Called before the operation begins to wait. */
  beginWaiting?(): void;
  /** Called once an operation that waited will not be tried again. */
  endWaiting?(): void;
}

/** Calls `proceed()` of a queue when there is a reason to try again, until it leaves. */
export interface Waker {
  /** Called again whenever a try has shown that the queue still has to wait. */
  wait(queue: OperationQueue): void;
  leave(queue: OperationQueue): void;
  /** The queue seldom has to wait at the moment. */
  stopWatching?(queue: OperationQueue): void;
}

export const READABLE = 1;
export const WRITABLE = 2;
export type Direction = typeof READABLE | typeof WRITABLE;

/** How many operations of one queue are served before the other queues that are due. */
const OPERATIONS_PER_VISIT = 32;

/**
 * After so many tries in a row that did not have to wait, readiness is no longer watched: that costs
 * 0.1 µs with each message, and to begin and end it about 1 µs.
 */
const TRIES_BEFORE_UNWATCHING = 16;

/**
 * After so many operations in a row whose first try found nothing, the next ones wait without that try; but
 * one in PROBE_EVERY is tried, to find out whether there is something at once again.
 */
const MISSES_TO_SKIP = 4;
const PROBE_EVERY = 8;

/** The operations of one kind on one socket. */
export class OperationQueue {
  readonly direction: Direction;
  readonly #waker: Waker;
  #first: Operation | undefined;
  #last: Operation | undefined;
  /** How long an operation is tried again and again before it waits: in milliseconds. */
  spin = 0;
  #waits = false;
  #deferred = false;
  /** Whether one may wait for its turn that must not wait for readiness. */
  #hasNonWaiting = false;
  /** Tries in a row that did not have to wait. */
  #streak = 0;
  /** Operations in a row whose first try would have blocked. */
  #misses = 0;

  constructor(waker: Waker, direction: Direction) {
    this.#waker = waker;
    this.direction = direction;
  }

  /** How many wait. */
  get length(): number {
    let length = 0;
    for (let each = this.#first; each !== undefined; each = each.next) length++;
    return length;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Tries the operation, or lets it wait for its turn. */
  run<T>(attempt: Attempt<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) {
      const error = new AbortError(signal);
      return rejection(attempt.aborted?.(error) ?? error);
    }
    const isFirst = this.#first === undefined;
    let isTried = false;
    let waits = false;
    try {
      if (this.#waits && attempt.doesNotWait && hasTime()) {
        return Promise.reject(attempt.failure(-EAGAIN));
      }
      if (isFirst && this.#skips() && attempt.needsFirstTry !== true && attempt.doesNotWait !== true) {
        waits = true;
      } else if (isFirst && hasTime()) {
        isTried = true;
        let result = attempt.try();
        if (result === WOULD_BLOCK && this.spin > 0) result = this.#trySpinning(attempt);
        if (result !== WOULD_BLOCK && result !== UNFINISHED) {
          this.#misses = 0;
          this.#succeeded();
          return Promise.resolve(result);
        }
        waits = result === WOULD_BLOCK;
        if (waits) this.#misses++;
      }
      attempt.beginWaiting?.();
    } catch (error) {
      if (isTried) {
        const rejected = Promise.reject(error);
        publishError(error);
        return rejected;
      }
      attempt = new Failure(attempt, error);
      waits = false;
    }
    const operation = new Operation(this, attempt, signal);
    const promise = operation.promise<T>();
    this.#append(operation);
    if (waits) this.#wait();
    else if (isFirst || attempt.doesNotWait) this.#proceedNextTurn();
    return promise;
  }

  /** Tries those that wait, in their order, until one would block or the time is over. */
  proceed(): void {
    this.#deferred = false;
    for (let served = 0; this.#first !== undefined; served++) {
      if (served === OPERATIONS_PER_VISIT || !hasTime()) {
        this.#proceedNextTurn();
        return;
      }
      if (!this.#tryFirst(this.#first)) return;
    }
  }

  /** Tries those that wait until one would block, whatever time it takes. */
  flush(): void {
    while (this.#first !== undefined && this.#tryFirst(this.#first)) {}
  }

  /** Returns whether it would not block. */
  #tryFirst(first: Operation): boolean {
    let result: unknown;
    try {
      result = first.attempt.try();
    } catch (error) {
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
    this.#succeeded();
    return true;
  }

  /** Whether the first try is left out, since it would find nothing. */
  #skips(): boolean {
    if (this.#misses < MISSES_TO_SKIP || this.spin > 0) return false;
    this.#misses++;
    return this.#misses % PROBE_EVERY !== 0;
  }

  #trySpinning<T>(attempt: Attempt<T>): T | typeof WOULD_BLOCK | typeof UNFINISHED {
    const start = now();
    let time = start;
    let result: T | typeof WOULD_BLOCK | typeof UNFINISHED;
    do {
      result = attempt.try();
      time = now();
    } while (result === WOULD_BLOCK && time - start < this.spin);
    checkTime(start);
    checkTime(time);
    return result;
  }

  #succeeded(): void {
    this.#streak++;
    if (this.#streak === TRIES_BEFORE_UNWATCHING) this.#waker.stopWatching?.(this);
  }

  /** Rejects all that wait, with `ECANCELED` unless an error is given. */
  cancel(error?: unknown): void {
    for (let first = this.#first; first !== undefined; first = this.#first) {
      this.remove(first);
      first.reject(error ?? first.attempt.failure(-ECANCELED));
    }
  }

  /** Ends those that wait and are over, without having been done, with this result. */
  finish(isOver: (attempt: Attempt<unknown>) => boolean, result: unknown): void {
    for (let each = this.#first; each !== undefined; each = each.next) {
      if (!isOver(each.attempt)) continue;
      this.leave(each);
      each.resolve(result);
    }
  }

  #append(operation: Operation): void {
    operation.previous = this.#last;
    if (this.#last === undefined) this.#first = operation;
    else this.#last.next = operation;
    this.#last = operation;
    if (operation.attempt.doesNotWait) this.#hasNonWaiting = true;
  }

  /** Removes an operation that was not done. The one that becomes the first was not tried yet. */
  leave(operation: Operation): void {
    const wasFirst = operation === this.#first;
    this.remove(operation);
    if (wasFirst && this.#first !== undefined) this.#proceedNextTurn();
  }

  /** Removes an operation; it will not be tried again. */
  remove(operation: Operation): void {
    const { previous, next } = operation;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    operation.detach();
    if (this.#first === undefined && this.#waits) {
      this.#waits = false;
      this.#waker.leave(this);
    }
  }

  #wait(): void {
    this.#streak = 0;
    try {
      this.#waker.wait(this);
      this.#waits = true;
    } catch (error) {
      this.cancel(error);
    }
    if (this.#hasNonWaiting) this.#refuseNonWaiting();
  }

  /** Ends those that do not wait, now that the first one has to. */
  #refuseNonWaiting(): void {
    this.#hasNonWaiting = false;
    for (let each = this.#first; each !== undefined; each = each.next) {
      if (!each.attempt.doesNotWait) continue;
      this.remove(each);
      each.reject(each.attempt.failure(-EAGAIN));
    }
  }

  #proceedNextTurn(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    deferToNextTurn(this);
  }
}

/** An operation that has failed already, but not before those in front of it have settled. */
class Failure implements Attempt<never> {
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

/** An operation that waits. */
class Operation implements Abortable {
  next: Operation | undefined;
  previous: Operation | undefined;
  resolve!: (value: unknown) => void;
  reject!: (error: unknown) => void;

  constructor(
    readonly queue: OperationQueue,
    readonly attempt: Attempt<unknown>,
    readonly signal: AbortSignal | undefined,
  ) {
    if (signal !== undefined) watch(signal, this);
  }

  promise<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve as (value: unknown) => void;
      this.reject = reject;
    });
  }

  abort(error: AbortError): void {
    this.queue.leave(this);
    this.reject(this.attempt.aborted?.(error) ?? error);
  }

  detach(): void {
    if (this.signal !== undefined) unwatch(this.signal, this);
    this.attempt.endWaiting?.();
  }
}
