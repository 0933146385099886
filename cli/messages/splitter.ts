/** Bytes, as they come, cut into lines. */
import { Failure } from '../process/failure.js';

/** No message is longer than 4,263,616 bytes (docs/semantics.md), which are twice as many hex digits, and more. */
const LONGEST_LINE = 16 * 1_048_576;

export class Splitter {
  readonly #delimiter: Buffer;
  #rest: Buffer = Buffer.alloc(0);
  /** Up to here there is no delimiter in the rest. */
  #searched = 0;
  #ended = false;

  /** @param delimiter if it is empty, everything is one line */
  constructor(delimiter: Buffer) {
    this.#delimiter = delimiter;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  end(): void {
    this.#ended = true;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** The next line without its delimiter; the last one needs none. */
  take(): Buffer | undefined {
    const { length } = this.#delimiter;
    const at = length === 0 ? -1 : this.#rest.indexOf(this.#delimiter, this.#searched);
    if (at !== -1) {
      const line = this.#rest.subarray(0, at);
      this.#rest = this.#rest.subarray(at + length);
      this.#searched = 0;
      return line;
    }
    if (this.#ended && this.#rest.length > 0) {
      const line = this.#rest;
      this.#rest = Buffer.alloc(0);
      return line;
    }
    if (this.#rest.length > LONGEST_LINE) {
      throw new Failure('a line is longer than any message can be: is the --delimiter right?');
    }
    this.#searched = Math.max(0, this.#rest.length - length + 1);
    return undefined;
  }
}
