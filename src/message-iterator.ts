/** Iterating over messages: one receive for each step, so that whoever breaks out has lost nothing. */
import type { SeqpacketError } from './errors';
import { type Attempt, NOT_DONE, WOULD_BLOCK } from './operations';

export class MessageIterator<T> implements AsyncIterableIterator<T> {
  readonly #step: (iterator: MessageIterator<T>) => Promise<IteratorResult<T, undefined>>;
  #isOver = false;

  constructor(step: (iterator: MessageIterator<T>) => Promise<IteratorResult<T, undefined>>) {
    this.#step = step;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#isOver ? Promise.resolve(over()) : this.#step(this);
  }

  /** The socket stays open, and the next receive gets the next message. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.end();
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
export class IteratorStep<T> implements Attempt<IteratorResult<T, undefined>> {
  constructor(
    private readonly iterator: MessageIterator<T>,
    private readonly receive: Attempt<T>,
  ) {}

  get isUrgent(): boolean {
    return this.receive.isUrgent === true;
  }

  try(): IteratorResult<T, undefined> | typeof WOULD_BLOCK | typeof NOT_DONE {
    try {
      const value = this.receive.try();
      if (value === WOULD_BLOCK || value === NOT_DONE) return value as typeof WOULD_BLOCK | typeof NOT_DONE;
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
