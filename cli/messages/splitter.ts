/** Splits a stream of bytes into lines. */
import { Failure } from '../process/failure.js';

/** The longest message has 4,263,616 bytes (docs/semantics.md); as hex it takes twice that. */
const MAX_LINE_BYTES = 16 * 1_048_576;

export class Splitter {
  readonly #delimiter: Buffer;
  #buffered: Buffer = Buffer.alloc(0);
  /** The delimiter does not begin before this offset in the buffered bytes. */
  #searched = 0;
  #ended = false;

  /** @param delimiter empty: all bytes are one line */
  constructor(delimiter: Buffer) {
    this.#delimiter = delimiter;
  }

  push(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
  }

  end(): void {
    this.#ended = true;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Returns the next line without its delimiter, undefined if it is incomplete. At the end a line needs no delimiter. */
  take(): Buffer | undefined {
    const { length } = this.#delimiter;
    const at = length === 0 ? -1 : this.#buffered.indexOf(this.#delimiter, this.#searched);
    if (at !== -1) {
      const line = this.#buffered.subarray(0, at);
      this.#buffered = this.#buffered.subarray(at + length);
      this.#searched = 0;
      return line;
    }
    if (this.#ended && this.#buffered.length > 0) {
      const line = this.#buffered;
      this.#buffered = Buffer.alloc(0);
      return line;
    }
    if (this.#buffered.length > MAX_LINE_BYTES) {
      throw new Failure('a line is longer than the longest possible message: check --delimiter');
    }
    this.#searched = Math.max(0, this.#buffered.length - length + 1);
    return undefined;
  }
}
