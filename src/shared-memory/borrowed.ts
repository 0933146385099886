const NOTHING = Buffer.alloc(0);

/**
 * A message in the memory that both processes share. It occupies room in the channel until it is released.
 *
 * The peer can change the bytes at any time. Do not check them and then use them again: make a copy of what must not
 * change.
 */
export class Borrowed implements Disposable {
  #data: Buffer;
  #isReleased = false;
  readonly #onRelease: () => void;

  /** @internal */
  constructor(
    data: Buffer,
    /** The start of the record, modulo 2^32. @internal */
    readonly start: number,
    onRelease: () => void,
  ) {
    this.#data = data;
    this.#onRelease = onRelease;
  }

  /**
   * The message. Its length is 0 after it was released, or `close()` of the channel was called. If the peer has violated
   * the format, it stays.
   */
  get data(): Buffer {
    return this.#data;
  }

  /** @internal */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Gives the memory back. Do not use `data`, or views of it, any more. A second call does nothing. */
  release(): void {
    if (this.#isReleased) return;
    this.forget();
    this.#onRelease();
  }

  /** Records that the memory is not in use, without giving it back. @internal */
  forget(): void {
    this.#isReleased = true;
    this.#data = NOTHING;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
