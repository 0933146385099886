/** The producer's side of a ring. It has no system calls. */
import type { Parts } from '../arguments';
import { bufferView } from '../messages/buffer-view';
import type { Slots } from '../messages/message-batch';
import {
  CONSUMER_SLEEPS,
  HEAD,
  HEADER_BYTES,
  longestMessage,
  PADDING,
  PRODUCER_SLEEPS,
  RECORD_HEADER_BYTES,
  recordBytes,
  TAIL,
} from './layout';
import type { Region } from './region';
import { copyWords, MOST_BY_WORDS } from './word-copy';

/** Ends the channel, whose shared memory has become unusable, and creates the error. */
export type Mistrust = (detail: string) => Error;

/** Another thread has made the memory of a message longer while it was copied, perhaps over other messages. */
const GROWN = 'a message has become longer while it was sent';

/**
 * The indices are private; the copies in shared memory are for the consumer. They count bytes modulo 2^32, as signed
 * numbers. Only the consumer's `head` is read, once for each use.
 */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #memory: ArrayBuffer;
  readonly #ring: Uint8Array;
  readonly #capacity: number;
  readonly #mistrust: Mistrust;
  /** The number of bytes written, including those that are not published yet. */
  #tail = 0;
  #published = 0;
  /** The last `head` that was read. */
  #head = 0;
  /** The start of the reserved record. */
  #start = 0;

  /** The length of the longest message, in bytes. */
  readonly longest: number;

  constructor({ memory, words, ring, capacity }: Region, mistrust: Mistrust) {
    this.#memory = memory;
    this.#words = words;
    this.#ring = ring;
    this.#capacity = capacity;
    this.#mistrust = mistrust;
    this.longest = longestMessage(capacity);
  }

  /** The number of bytes written, modulo 2^32: the end of the last record. */
  get tail(): number {
    return this.#tail;
  }

  /**
   * Reserves a record for a message of this length, without effect on the consumer.
   *
   * @returns the position of its content in the ring; -1 without room
   */
  reserve(length: number): number {
    const bytes = recordBytes(length);
    const at = this.#tail & (this.#capacity - 1);
    const toEnd = this.#capacity - at;
    const needed = bytes <= toEnd ? bytes : toEnd + bytes;
    if (!this.#hasRoom(needed)) return -1;
    if (bytes <= toEnd) {
      this.#start = this.#tail;
      return at + RECORD_HEADER_BYTES;
    }
    this.#writeHeader(at, toEnd - RECORD_HEADER_BYTES, PADDING);
    this.#start = (this.#tail + toEnd) | 0;
    return RECORD_HEADER_BYTES;
  }

  /** Completes the reserved record. It is visible to the consumer after {@link publish}. */
  commit(length: number, kind: number): void {
    this.#writeHeader(this.#start & (this.#capacity - 1), length, kind);
    this.#tail = (this.#start + recordBytes(length)) | 0;
  }

  /** Writes the content of a record of this length. */
  write(position: number, parts: Parts, length: number): void {
    let at = position;
    try {
      // An empty part may have been detached.
      if (!Array.isArray(parts)) {
        if (length > 0) this.#ring.set(parts as Uint8Array, position);
        at += (parts as Uint8Array).length;
      } else {
        for (const part of parts as readonly Uint8Array[]) {
          if (part.length > 0) this.#ring.set(part, at);
          at += part.length;
        }
      }
    } catch {
      // Beyond the end of the ring.
      throw this.#mistrust(GROWN);
    }
    if (at !== position + length) throw this.#mistrust(GROWN);
  }

  /** Writes the content of a record from a slot of a batch. */
  writeSlot(position: number, { memory, words, bytes }: Slots, index: number, length: number): void {
    const start = index * bytes;
    if (length <= MOST_BY_WORDS && words !== undefined && words.length > 0) {
      copyWords(words, start >> 2, this.#words, (HEADER_BYTES + position) >> 2, length);
    } else {
      this.#ring.set(new Uint8Array(memory.buffer, memory.byteOffset + start, length), position);
    }
  }

  /** The memory of the content of a record. */
  content(position: number, length: number): Buffer {
    return bufferView(this.#memory, HEADER_BYTES + position, length);
  }

  /**
   * Makes the completed records visible. Returns whether the consumer must be woken.
   *
   * Atomics are sequentially consistent: either the consumer sees the new tail before it sleeps, or this sees that it
   * sleeps (docs/shared-memory.md, "Waiting").
   */
  publish(): boolean {
    this.#published = this.#tail;
    Atomics.store(this.#words, TAIL, this.#tail);
    return (
      Atomics.load(this.#words, CONSUMER_SLEEPS) === 1 &&
      Atomics.exchange(this.#words, CONSUMER_SLEEPS, 0) === 1
    );
  }

  /** The position up to which records are visible, modulo 2^32. */
  get published(): number {
    return this.#published;
  }

  /** Forgets the records behind a position, which were made visible, but have not been sent: the consumer is gone. */
  retract(position: number): void {
    const head = this.readHead();
    this.#published = ((head - position) | 0) > 0 ? head : position;
    this.#tail = this.#published;
  }

  /** Announces that the producer sleeps until there is room. What it waits for has to be looked at again after that. */
  sleep(): void {
    Atomics.store(this.#words, PRODUCER_SLEEPS, 1);
  }

  /** Reverses {@link sleep}. */
  awake(): void {
    if (Atomics.load(this.#words, PRODUCER_SLEEPS) !== 0) Atomics.store(this.#words, PRODUCER_SLEEPS, 0);
  }

  /** The position up to which the consumer has read, modulo 2^32. */
  readHead(): number {
    const head = Atomics.load(this.#words, HEAD);
    const advanced = (head - this.#head) >>> 0;
    if (advanced > (this.#published - this.#head) >>> 0 || (head & 7) !== 0) {
      throw this.#mistrust(`the peer has read up to byte ${head >>> 0}, which is impossible`);
    }
    this.#head = head;
    return head;
  }

  /** Whether the consumer has read all records. */
  get isRead(): boolean {
    return this.readHead() === this.#published;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#capacity - ((this.#tail - this.#head) >>> 0) >= bytes) return true;
    return this.#capacity - ((this.#tail - this.readHead()) >>> 0) >= bytes;
  }

  #writeHeader(at: number, length: number, kind: number): void {
    const word = (HEADER_BYTES + at) >> 2;
    this.#words[word] = length;
    this.#words[word + 1] = kind;
  }
}
