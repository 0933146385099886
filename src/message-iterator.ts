/** Iterating over messages: one receive for each step, so that whoever breaks out has lost nothing. */
import type { SeqpacketError } from './errors';

export class MessageIterator<T> implements AsyncIterableIterator<T> {
  readonly #receive: () => Promise<T>;
  #ended = false;

  constructor(receive: () => Promise<T>) {
    this.#receive = receive;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      return { done: false, value: await this.#receive() };
    } catch (error) {
      this.#ended = true;
      if ((error as SeqpacketError).code !== 'EOF') throw error;
      return { done: true, value: undefined };
    }
  }

  /** The socket stays open, and the next receive gets the next message. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#ended = true;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
