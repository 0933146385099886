/**
 * Messages of mixed sizes, in a reproducible order: a sequence number of 4 bytes, then bytes of a table that both ends
 * compute. A receiver compares every byte, so that it needs no checksum.
 */
import assert from 'node:assert/strict';

export const LONGEST = 400_000;

/** Numbers from 0 to 2^32 - 1 (xorshift). */
export class RandomNumbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }
}

function table(): Buffer {
  const random = new RandomNumbers(0x5eed);
  const words = Uint32Array.from({ length: (2 * LONGEST) / 4 }, () => random.next());
  return Buffer.from(words.buffer);
}

const TABLE = table();

/** One after the other: `length` bytes of `TABLE`, from `start` on, after the number. */
export class MixedMessages {
  readonly #random: RandomNumbers;
  /** The sequence number of the current message. */
  number = -1;
  start = 0;
  length = 0;

  constructor(seed: number) {
    this.#random = new RandomNumbers(seed);
  }

  /** Goes to the next message. Returns its length with the number: 4 bytes at least. */
  advance(): number {
    const size = this.#random.next();
    const kind = size % 5000;
    const most = kind === 0 ? LONGEST - 4 : kind < 100 ? 8192 : kind < 1000 ? 1000 : 64;
    this.number++;
    this.length = (size >>> 8) % most;
    this.start = this.#random.next() % LONGEST;
    return this.length + 4;
  }

  /** Writes the current message. */
  write(target: Buffer): void {
    target.writeUInt32LE(this.number, 0);
    TABLE.copy(target, 4, this.start, this.start + this.length);
  }

  /** Goes to the next message, and compares it with what was received. */
  check(data: Buffer): void {
    const length = this.advance();
    const isSame =
      data.length === length &&
      data.readUInt32LE(0) === this.number &&
      TABLE.compare(data, 4, length, this.start, this.start + this.length) === 0;
    if (!isSame) assert.fail(`message ${this.number} of ${length} bytes: ${data.length} bytes were received`);
  }
}
