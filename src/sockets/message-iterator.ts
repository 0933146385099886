/** Iterating over messages: one receive for each step, so that leaving the loop loses nothing. */
import { notOpen, type SeqpacketError } from '../errors';
import type { Receiver } from '../messages/receiver';
import { type Attempt, type OperationQueue, UNFINISHED, WOULD_BLOCK } from '../waiting/operation-queue';
import { rejection } from '../waiting/turn';

/** What belongs to a socket while it is open. */
export interface Source {
  readonly receives: OperationQueue;
  readonly receiver: Receiver;
}

export class MessageIterator<T> implements AsyncIterableIterator<T> {
  #isOver = false;

  /** @internal */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @param receive makes what receives one message */
  constructor(
    private readonly source: () => Source | undefined,
    private readonly receive: (receiver: Receiver) => Attempt<T>,
    private readonly signal?: AbortSignal,
  ) {}

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return Promise.resolve(over());
    const source = this.source();
    if (source === undefined) {
      this.end();
      return rejection(notOpen('recvmsg', true));
    }
    return source.receives.run(new IteratorStep(this, this.receive(source.receiver)), this.signal);
  }

  /**
   * Steps that wait are over, too. The socket stays open, and the next receive gets the next message.
   */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.end();
    const isStep = (attempt: Attempt<unknown>) =>
      attempt instanceof IteratorStep && attempt.iterator === this;
    this.source()?.receives.finish(isStep, over());
    return over();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  end(): void {
    this.#isOver = true;
  }
}

function over(): IteratorReturnResult<undefined> {
  return { done: true, value: undefined };
}

/** A receive as a step of an iterator: the end of file is its end, and so is any error. */
class IteratorStep<T> implements Attempt<IteratorResult<T, undefined>> {
  constructor(
    readonly iterator: MessageIterator<T>,
    private readonly receive: Attempt<T>,
  ) {}

  get needsFirstTry(): boolean {
    return this.receive.needsFirstTry === true;
  }

  try(): IteratorResult<T, undefined> | typeof WOULD_BLOCK | typeof UNFINISHED {
    // Ended by a step before: what comes is for others.
    if (this.iterator.isOver) return over();
    try {
      const value = this.receive.try();
      if (value === WOULD_BLOCK || value === UNFINISHED)
        return value as typeof WOULD_BLOCK | typeof UNFINISHED;
      return { done: false, value: value as T };
    } catch (error) {
      this.iterator.end();
      if ((error as SeqpacketError).code !== 'EOF') throw error;
      return over();
    }
  }

  failure(errno: number): Error {
    this.iterator.end();
    return this.receive.failure(errno);
  }

  aborted(error: Error): Error {
    this.iterator.end();
    return error;
  }
}
