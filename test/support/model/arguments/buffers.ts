import fc from 'fast-check';
import { digest, total } from '../expected/message.js';
import { limits } from '../real/limits.js';

export const length = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 5, 20) },
  { weight: 3, arbitrary: fc.constantFrom(700, 1500, 3000) },
  { weight: 1, arbitrary: fc.constantFrom(limits.leastSendBuffer - 32, limits.leastSendBuffer - 31, 20_000) },
);

/** The lengths of the buffers that stand for one message. */
export const lengths = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(length) },
  { weight: 1, arbitrary: fc.array(length, { maxLength: 3 }) },
);

export const rooms = fc.oneof(
  { weight: 2, arbitrary: fc.constant([20_000]) },
  { weight: 3, arbitrary: lengths },
);

export const view = fc.constantFrom('Buffer', 'DataView', 'array');

export function bufferFor(lengthOf: number, kind: string): ArrayBufferView {
  const bytes = Buffer.alloc(lengthOf + 8, 0xee).subarray(8);
  return kind === 'DataView' ? new DataView(bytes.buffer, bytes.byteOffset, lengthOf) : bytes;
}

export const bytesOf = (buffer: ArrayBufferView) =>
  Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);

/** Buffers for a receive, and their contents afterwards. */
export class Room {
  readonly #buffers: ArrayBufferView[];

  constructor(
    readonly lengths: readonly number[],
    kind: string,
  ) {
    this.#buffers = lengths.map((each) => bufferFor(each, kind));
  }

  get size(): number {
    return total(this.lengths);
  }

  get argument(): ArrayBufferView | ArrayBufferView[] {
    return this.#buffers.length === 1 ? this.#buffers[0]! : this.#buffers;
  }

  contents(bytesRead: number) {
    const bytes = Buffer.concat(this.#buffers.map(bytesOf));
    return {
      bytesRead,
      data: digest(bytes.subarray(0, bytesRead)),
      isRestUntouched: bytes.subarray(bytesRead).every((byte) => byte === 0xee),
    };
  }
}

/** The message in as many buffers as asked for. */
export function split(message: Buffer, parts: readonly number[]): Buffer | Buffer[] {
  if (parts.length === 1) return message;
  let at = 0;
  return parts.map((each) => {
    at += each;
    return message.subarray(at - each, at);
  });
}
