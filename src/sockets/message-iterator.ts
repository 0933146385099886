/** Iteration over messages, with one receive for each step, so that leaving the loop loses no message. */
import { notOpen, type SeqpacketError } from '../errors';
import type { Receiver } from '../messages/receiver';
import { type Attempt, type OperationQueue, UNFINISHED, WOULD_BLOCK } from '../waiting/operation-queue';
import { rejection } from '../waiting/turn';

/** The part of a socket's session that receives messages. */
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

  /** @param receive creates the attempt to receive one message */
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

  /** Ends the iteration, including its waiting steps. The socket stays open. The next receive gets the next message. */
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

/** A receive as one step of an iterator. The end of file and any error end the iteration. */
class IteratorStep<T> implements Attempt<IteratorResult<T, undefined>> {
  constructor(
    readonly iterator: MessageIterator<T>,
    private readonly receive: Attempt<T>,
  ) {}

  get needsFirstTry(): boolean {
    return this.receive.needsFirstTry === true;
  }

  try(): IteratorResult<T, undefined> | typeof WOULD_BLOCK | typeof UNFINISHED {
    // A previous step has ended the iteration. The next message is for other receives.
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
