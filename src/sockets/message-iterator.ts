/** Iteration over messages, with one receive for each step, so that leaving the loop loses no message. */
import { notOpen, type SeqpacketError } from '../errors';
import type { MessageSource } from '../messages/message-source';
import type { ReceivingSide } from '../messages/receive-attempts';

import { type Attempt, type PlainOperation, WOULD_BLOCK } from '../waiting/operation-queue';
import { rejection } from '../waiting/turn';

type Step<T> = IteratorResult<T, undefined>;

export class MessageIterator<T> implements AsyncIterableIterator<T> {
  #isOver = false;

  /** @internal */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @param tryReceive tries to receive one message */
  constructor(
    private readonly source: () => ReceivingSide | undefined,
    private readonly tryReceive: (receiver: MessageSource) => T | typeof WOULD_BLOCK,
    private readonly signal?: AbortSignal,
  ) {}

  next(): Promise<Step<T>> {
    if (this.#isOver) return Promise.resolve(over());
    const source = this.source();
    if (source === undefined) {
      this.end();
      return rejection(notOpen('recvmsg', true));
    }
    const { receives, receiver } = source;
    if (this.signal === undefined) return receives.runPlain(plainStep as PlainStep<T>, this, receiver);
    return receives.run(new IteratorStep(this, receiver), this.signal);
  }

  /**
   * Tries to receive the next message. The end of file and any error end the iteration.
   *
   * @internal
   */
  tryStep(receiver: MessageSource): Step<T> | typeof WOULD_BLOCK {
    try {
      const value = this.tryReceive(receiver);
      return value === WOULD_BLOCK ? WOULD_BLOCK : { done: false, value };
    } catch (error) {
      this.end();
      if ((error as SeqpacketError).code !== 'EOF') throw error;
      return over();
    }
  }

  /** Ends the iteration, including its waiting steps. The socket stays open. The next receive gets the next message. */
  async return(): Promise<Step<T>> {
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

/** A receive as one step of an iterator. */
class IteratorStep<T> implements Attempt<Step<T>> {
  constructor(
    readonly iterator: MessageIterator<T>,
    private readonly receiver: MessageSource,
  ) {}

  get needsFirstTry(): boolean {
    return this.receiver.holdsMessage;
  }

  try(): Step<T> | typeof WOULD_BLOCK {
    // A previous step has ended the iteration. The next message is for other receives.
    return this.iterator.isOver ? over() : this.iterator.tryStep(this.receiver);
  }

  failure(errno: number): Error {
    this.iterator.end();
    return this.receiver.failure(errno);
  }

  aborted(error: Error): Error {
    this.iterator.end();
    return error;
  }
}

type PlainStep<T> = PlainOperation<MessageIterator<T>, MessageSource, Step<T>>;

const plainStep: PlainStep<unknown> = {
  try: (iterator, receiver) => iterator.tryStep(receiver),
  attempt: (iterator, receiver) => new IteratorStep(iterator, receiver),
};
