/** The consumer's side of a ring. It has no system calls. */
import { bufferView } from '../messages/buffer-view';
import type { Slots } from '../messages/message-batch';
import {
  CONSUMER_SLEEPS,
  HEAD,
  HEADER_BYTES,
  longestMessage,
  MESSAGE,
  MESSAGE_WITH_FDS,
  PADDING,
  PRODUCER_SLEEPS,
  RECORD_HEADER_BYTES,
  recordBytes,
  TAIL,
} from './layout';
import type { Region } from './region';
import type { Mistrust } from './ring-writer';
import { copyWords, MOST_BY_WORDS } from './word-copy';

/**
 * The indices are private; the copies in shared memory are for the producer. Every value that the producer has written
 * is read once and checked, and a record is checked before its content is used.
 */
export class RingReader {
  readonly #words: Int32Array;
  readonly #memory: ArrayBuffer;
  readonly #capacity: number;
  readonly #longest: number;
  readonly #mistrust: Mistrust;
  /** The start of the next record. */
  #head = 0;
  /** The last `tail` that was read. */
  #tail = 0;
  /** Whether this side has announced that it sleeps. */
  #isAsleep = false;

  /** The length of the content of the record that {@link next} has found, in bytes. */
  length = 0;
  /** Whether that record has descriptors. */
  hasFds = false;
  /** The position of its content in the ring. */
  position = 0;

  constructor({ memory, words, capacity }: Region, mistrust: Mistrust) {
    this.#memory = memory;
    this.#words = words;
    this.#capacity = capacity;
    this.#longest = longestMessage(capacity);
    this.#mistrust = mistrust;
  }

  /** The start of the next record, modulo 2^32. */
  get head(): number {
    return this.#head;
  }

  /** Finds the next record. Returns false if there is none. */
  next(): boolean {
    let available = (this.#tail - this.#head) >>> 0;
    if (available === 0) available = this.#readTail();
    if (available === 0) return false;
    let at = this.#head & (this.#capacity - 1);
    let word = (HEADER_BYTES + at) >> 2;
    // Each value is read once. The reading of the tail, which is atomic, comes before.
    let length = (this.#words[word] as number) >>> 0;
    let kind = this.#words[word + 1];
    if (kind === PADDING) {
      const toEnd = this.#capacity - at;
      if (at === 0 || toEnd > available || length !== toEnd - RECORD_HEADER_BYTES) throw this.#wrongRecord();
      this.#head = (this.#head + toEnd) | 0;
      available -= toEnd;
      if (available === 0) available = this.#readTail();
      if (available === 0) return false;
      at = 0;
      word = HEADER_BYTES >> 2;
      length = (this.#words[word] as number) >>> 0;
      kind = this.#words[word + 1];
    }
    if (kind !== MESSAGE && kind !== MESSAGE_WITH_FDS) throw this.#wrongRecord();
    const bytes = recordBytes(length);
    if (length > this.#longest || bytes > available || bytes > this.#capacity - at) throw this.#wrongRecord();
    this.length = length;
    this.hasFds = kind === MESSAGE_WITH_FDS;
    this.position = at + RECORD_HEADER_BYTES;
    return true;
  }

  /** Copies the first `bytes` of the content. */
  copy(target: Uint8Array, at: number, bytes: number): void {
    this.copyRange(this.position, target, at, bytes);
  }

  /** Copies bytes of the ring, which can be several records. */
  copyRange(position: number, target: Uint8Array, at: number, bytes: number): void {
    // An empty target may have been detached.
    if (bytes > 0) target.set(new Uint8Array(this.#memory, HEADER_BYTES + position, bytes), at);
  }

  /** Copies the content into a slot of a batch, which must be long enough. */
  copyToSlot({ memory, words, bytes }: Slots, index: number): void {
    const { length, position } = this;
    if (length <= MOST_BY_WORDS && words !== undefined && words.length > 0) {
      copyWords(this.#words, (HEADER_BYTES + position) >> 2, words, (index * bytes) >> 2, length);
    } else {
      this.copy(memory, index * bytes, length);
    }
  }

  /** The content in place. The producer can change it. */
  get content(): Buffer {
    return bufferView(this.#memory, HEADER_BYTES + this.position, this.length);
  }

  /** Removes the record. The producer gets its room after {@link publish}. */
  consume(): void {
    this.#head = (this.#head + recordBytes(this.length)) | 0;
  }

  /** Gives the room before `head` back. Returns whether the producer must be woken, because much room is free. */
  publish(head: number): boolean {
    Atomics.store(this.#words, HEAD, head);
    if (Atomics.load(this.#words, PRODUCER_SLEEPS) !== 1) return false;
    const isHalfFree = (this.#tail - head) >>> 0 <= this.#capacity >> 1;
    // While this side sleeps, no other occasion would come.
    return (isHalfFree || this.#isAsleep) && this.takeProducerSleeps();
  }

  /** Whether the producer slept. It must then be woken. */
  takeProducerSleeps(): boolean {
    return (
      Atomics.load(this.#words, PRODUCER_SLEEPS) === 1 &&
      Atomics.exchange(this.#words, PRODUCER_SLEEPS, 0) === 1
    );
  }

  /**
   * Announces that the consumer sleeps until there is a record. Returns whether there is one already.
   *
   * Atomics are sequentially consistent: either the producer sees that the consumer sleeps, or this sees its new tail
   * (docs/shared-memory.md, "Waiting").
   */
  sleep(): boolean {
    this.#isAsleep = true;
    Atomics.store(this.#words, CONSUMER_SLEEPS, 1);
    return this.#tail !== this.#head || this.#readTail() > 0;
  }

  /** Gives all room back, and makes the next send of the peer try to wake this end, which shows that it was closed. */
  end(): void {
    Atomics.store(this.#words, HEAD, this.#head);
    Atomics.store(this.#words, CONSUMER_SLEEPS, 1);
  }

  /** Reverses {@link sleep}. */
  awake(): void {
    this.#isAsleep = false;
    if (Atomics.load(this.#words, CONSUMER_SLEEPS) !== 0) Atomics.store(this.#words, CONSUMER_SLEEPS, 0);
  }

  /** Reads the producer's index. Returns the number of bytes that are available. */
  #readTail(): number {
    const tail = Atomics.load(this.#words, TAIL);
    const available = (tail - this.#head) >>> 0;
    const known = (this.#tail - this.#head) >>> 0;
    if (available < known || available > this.#capacity || (tail & 7) !== 0) {
      throw this.#mistrust(`the peer has written up to byte ${tail >>> 0}, which is impossible`);
    }
    this.#tail = tail;
    return available;
  }

  #wrongRecord(): Error {
    return this.#mistrust(`the record at byte ${this.#head >>> 0} of the peer's ring is not valid`);
  }
}
