import { checkInteger } from '../arguments';
import { invalidState } from '../errors';

const NOTHING = Buffer.alloc(0);

/**
 * Memory in the channel for one message. Write the message into `data`, then send it. Until then, later sends wait.
 *
 * The peer can change the bytes at any time, also before they are sent.
 */
export class Lease implements Disposable {
  #data: Buffer;
  #finish: ((bytes: number) => void) | undefined;

  /** @internal @param finish called once: with the length of the message, or with -1 if it is not sent */
  constructor(data: Buffer, finish: (bytes: number) => void) {
    this.#data = data;
    this.#finish = finish;
  }

  /**
   * The memory. It is not cleared. Its length is 0 after it was sent or cancelled, or `close()` of the channel was called.
   * If the peer has violated the format, it stays.
   */
  get data(): Buffer {
    return this.#data;
  }

  /**
   * Sends the first `bytes` bytes as one message, all by default. Returns their number. Does not wait.
   *
   * @throws `ERR_INVALID_STATE` if the memory was sent or cancelled, or the channel was closed; `EPIPE` if the peer has
   *   closed its end; `ERR_OUT_OF_RANGE`
   */
  send(bytes?: number): number {
    const finish = this.#finish;
    if (finish === undefined)
      throw invalidState('The lease was sent or cancelled, or its channel was closed');
    const length =
      bytes === undefined ? this.#data.length : checkInteger(bytes, 'bytes', 0, this.#data.length);
    this.forget();
    finish(length);
    return length;
  }

  /** Gives the memory back without sending. Does nothing if it was sent or cancelled. */
  cancel(): void {
    const finish = this.#finish;
    this.forget();
    finish?.(-1);
  }

  /** Records that the memory is not in use, without giving it back. @internal */
  forget(): void {
    this.#finish = undefined;
    this.#data = NOTHING;
  }

  /** The same as {@link cancel}. */
  [Symbol.dispose](): void {
    this.cancel();
  }
}
