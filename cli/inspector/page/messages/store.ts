/** All rows, within bounds of memory: the oldest are dropped. A row has the same number for as long as it is there. */
import type { DescriptorDescription } from '../../frames.js';
import { type Row, Segment } from './segment.js';

export interface Bounds {
  rows: number;
  /** Of contents. */
  bytes: number;
}

const DEFAULT_BOUNDS: Bounds = { rows: 2_000_000, bytes: 512 * 1_048_576 };
const NO_DESCRIPTORS: readonly DescriptorDescription[] = [];

export class MessageStore {
  /** The number of the oldest row. */
  first = 0;
  /** The number of the next row. */
  next = 0;
  /** How many rows are messages; the others are events. */
  messages = 0;
  /** The length of all contents. */
  bytes = 0;
  /** How many rows were dropped for lack of room. */
  dropped = 0;
  readonly #bounds: Bounds;
  #segments: Segment[] = [];
  /** Where the last row that was asked for is: rows are often asked for in order. */
  #recent: Segment | undefined;
  readonly #descriptors = new Map<number, readonly DescriptorDescription[]>();

  constructor(bounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.next - this.first;
  }

  has(number: number): boolean {
    return number >= this.first && number < this.next;
  }

  /** Returns the number of the row. The contents are copied. */
  push(row: Row, descriptors: readonly DescriptorDescription[] = NO_DESCRIPTORS): number {
    let segment = this.#segments.at(-1);
    if (segment === undefined || !segment.fits(row.data.length)) {
      segment?.seal();
      segment = new Segment(this.next);
      this.#segments.push(segment);
    }
    segment.push(row);
    this.bytes += row.data.length;
    if (row.event === 0) this.messages++;
    if (descriptors.length > 0) this.#descriptors.set(this.next, descriptors);
    this.next++;
    while ((this.length > this.#bounds.rows || this.bytes > this.#bounds.bytes) && this.#segments.length > 1)
      this.#dropOldest();
    return this.next - 1;
  }

  /** Marks a request and its answer as such. The request may have been dropped. */
  pair(request: number, answer: number, delay: number): void {
    for (const [one, other] of [
      [request, answer],
      [answer, request],
    ] as const) {
      if (!this.has(one)) continue;
      const segment = this.#segmentOf(one);
      segment.partners[one - segment.first] = other + 1;
      segment.delays[one - segment.first] = delay;
    }
  }

  clear(): void {
    this.#segments = [];
    this.#recent = undefined;
    this.#descriptors.clear();
    this.first = this.next;
    this.messages = 0;
    this.bytes = 0;
    this.dropped = 0;
  }

  time(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.times[number - segment.first]!;
  }

  connection(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.connections[number - segment.first]!;
  }

  flags(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.flags[number - segment.first]!;
  }

  /** 0 for a message; else 1 + an index in EVENTS. */
  event(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.events[number - segment.first]!;
  }

  credentials(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.credentials[number - segment.first]!;
  }

  size(number: number): number {
    const segment = this.#segmentOf(number);
    const row = number - segment.first;
    return segment.ends[row]! - segment.start(row);
  }

  /** A view, which later changes of the store leave alone. */
  data(number: number): Uint8Array {
    const segment = this.#segmentOf(number);
    return segment.data(number - segment.first);
  }

  /** The request of an answer, or the answer of a request, if it is still there. */
  partner(number: number): number | undefined {
    const segment = this.#segmentOf(number);
    const partner = segment.partners[number - segment.first]! - 1;
    return this.has(partner) ? partner : undefined;
  }

  /** Microseconds from the request to the answer, of both; negative for none. */
  delay(number: number): number {
    const segment = this.#segmentOf(number);
    return segment.delays[number - segment.first]!;
  }

  descriptors(number: number): readonly DescriptorDescription[] {
    return this.#descriptors.get(number) ?? NO_DESCRIPTORS;
  }

  #segmentOf(number: number): Segment {
    const recent = this.#recent;
    if (recent !== undefined && number >= recent.first && number < recent.first + recent.rows) return recent;
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#segments[middle]!.first <= number) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low];
    if (segment === undefined || !this.has(number)) throw new RangeError(`row ${number} is not there`);
    this.#recent = segment;
    return segment;
  }

  #dropOldest(): void {
    const segment = this.#segments.shift()!;
    if (this.#recent === segment) this.#recent = undefined;
    for (const number of this.#descriptors.keys()) {
      if (number >= segment.first + segment.rows) break;
      this.#descriptors.delete(number);
    }
    this.first += segment.rows;
    this.messages -= segment.messages;
    this.bytes -= segment.bytes;
    this.dropped += segment.rows;
  }
}
