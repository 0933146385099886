/** Batches without objects: the messages of a batch share one memory, which is made once and used again. */
import { constants } from 'node:buffer';
import {
  byteLength,
  checkInteger,
  checkOptions,
  checkPartsToSend,
  type Data,
  type Parts,
} from '../arguments';
import { invalidState, invalidType, outOfRange } from '../errors';
import { bufferView } from './buffer-view';
import { copyFromParts } from './scatter-gather';

/** The maximum length of the memory, in bytes: its offsets are 32-bit numbers. */
const LARGEST_MEMORY = Math.min(constants.MAX_LENGTH, 0xffffffff);

/** The memory of a batch, for the operations that receive into it or send from it. */
export class Slots {
  readonly memory: Buffer;
  /** The same memory, if each slot begins at a word. Its length is 0 after the memory was detached. */
  readonly words: Int32Array | undefined;
  /** The lengths of the messages in bytes, in the same memory as `MessageBatch.lengths`. */
  readonly lengths: Int32Array;
  /** The number of messages. */
  length = 0;
  /** Whether a waiting operation uses the memory. */
  isInUse = false;

  constructor(
    readonly capacity: number,
    /** The length of each slot, in bytes. */
    readonly bytes: number,
  ) {
    this.memory = Buffer.alloc(capacity * bytes);
    const { buffer, byteOffset } = this.memory;
    this.words = bytes % 4 === 0 ? new Int32Array(buffer, byteOffset, (capacity * bytes) / 4) : undefined;
    this.lengths = new Int32Array(capacity);
  }

  /** The memory of one slot, or its first bytes. */
  slot(index: number, length = this.bytes): Buffer {
    const { buffer, byteOffset } = this.memory;
    return bufferView(buffer, byteOffset + index * this.bytes, length);
  }

  /** Appends a copy of the message, which must fit. */
  append(parts: Parts, bytes: number): void {
    const start = this.length * this.bytes;
    // Without a view of the slot, which costs as much as a copy of a short message.
    if (!Array.isArray(parts) && parts.length === bytes) this.memory.set(parts as Uint8Array, start);
    else copyFromParts(parts, this.memory.subarray(start, start + bytes));
    this.lengths[this.length++] = bytes;
  }

  /** Throws before an operation begins if it cannot use the memory. */
  requireFree(): void {
    if (this.isInUse) throw invalidState('The batch is in use by another operation');
    if (this.memory.length !== this.capacity * this.bytes || this.lengths.length !== this.capacity) {
      throw invalidState('The memory of the batch was detached');
    }
  }
}

/** The slots of a batch. Throws `ERR_INVALID_ARG_TYPE` for any other value. */
export let slotsOf: (batch: MessageBatch) => Slots;

export interface MessageBatchOptions {
  /** The number of slots: the maximum number of messages. At least 1. */
  messages: number;
  /** The length of each slot in bytes: the maximum length of a message. At least 1. */
  bytes: number;
}

/**
 * Messages in one memory that is allocated once and used again, for `receiveBatch` and `sendBatch`. No object is made
 * for a message.
 *
 * Message `index` begins at `offsets[index]` of `data`, and has `lengths[index]` bytes. Its slot can also be written
 * directly: change bytes in `data`, or shorten the message in `lengths`. Do not use the batch while an operation waits.
 */
export class MessageBatch implements Iterable<Buffer> {
  /** The memory of all slots, one after the other. */
  readonly data: Buffer;
  /** The start of each slot in `data`, in bytes. Changing them has no effect. */
  readonly offsets: Uint32Array;
  /** The length of each message, in bytes. */
  readonly lengths: Uint32Array;
  readonly #slots: Slots;

  static {
    slotsOf = (batch) => {
      if (typeof batch !== 'object' || batch === null || !(#slots in batch)) {
        throw invalidType('batch', 'an instance of MessageBatch', batch);
      }
      return batch.#slots;
    };
  }

  /** @throws `ERR_OUT_OF_RANGE` if the slots together are longer than a Buffer can be */
  constructor(options: MessageBatchOptions) {
    const checked = checkOptions(options);
    const messages = checkInteger(checked.messages, 'options.messages', 1);
    const bytes = checkInteger(checked.bytes, 'options.bytes', 1);
    if (messages * bytes > LARGEST_MEMORY) {
      throw outOfRange('options.messages * options.bytes', `<= ${LARGEST_MEMORY}`, messages * bytes);
    }
    this.#slots = new Slots(messages, bytes);
    this.data = this.#slots.memory;
    this.lengths = new Uint32Array(this.#slots.lengths.buffer);
    this.offsets = Uint32Array.from(this.lengths, (_, index) => index * bytes);
  }

  /** The number of slots. */
  get capacity(): number {
    return this.#slots.capacity;
  }

  /** The number of messages. */
  get length(): number {
    return this.#slots.length;
  }

  /**
   * Appends a copy of a message.
   *
   * @returns `false` if there is no free slot
   * @throws `ERR_OUT_OF_RANGE` if the message is longer than a slot; `ERR_INVALID_STATE` while an operation waits
   */
  push(data: Data): boolean {
    const parts = checkPartsToSend(data, 'data');
    const slots = this.#slots;
    slots.requireFree();
    const bytes = byteLength(parts);
    if (bytes > slots.bytes) throw outOfRange('data.length', `<= ${slots.bytes}`, bytes);
    if (slots.length === slots.capacity) return false;
    slots.append(parts, bytes);
    return true;
  }

  /**
   * The bytes of a message, as a view of `data`. It is valid until the batch is used again.
   *
   * @throws `ERR_OUT_OF_RANGE` if there is no such message
   */
  at(index: number): Buffer {
    checkInteger(index, 'index', 0, this.length - 1);
    return this.#slots.slot(index, Math.min(this.lengths[index] as number, this.#slots.bytes));
  }

  /** Iterates over the messages, as views of `data`. */
  *[Symbol.iterator](): IterableIterator<Buffer> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /**
   * Removes the messages. The memory is kept.
   *
   * @throws `ERR_INVALID_STATE` while an operation waits
   */
  clear(): void {
    this.#slots.requireFree();
    this.#slots.length = 0;
  }
}
