/** The time from request to answer: how often each duration occurs, and how durations change over time. */
import { TO_CLIENT } from '../messages/flags.js';
import type { MessageStore } from '../messages/store.js';
import { CLASSES, classOf, percentile } from './log-histogram.js';

/** When all intervals are used, each two become one, and intervals are twice as long from then on. */
const INTERVALS = 256;
const FIRST_INTERVAL_US = 100_000;
const ROWS_AT_ONCE = 1024;

export interface LatencyOverTime {
  /** The middle of each interval that has answers, in seconds since 1970. */
  times: number[];
  /** Microseconds, as all durations. */
  medians: number[];
  p99s: number[];
  maxima: number[];
}

export class LatencyStatistics {
  total = 0;
  max = 0;
  /** For each class of durations. */
  readonly counts = new Uint32Array(CLASSES);
  readonly #store: MessageStore;
  #connections: ReadonlySet<number> | undefined;
  #next = 0;
  #start = 0;
  #interval = FIRST_INTERVAL_US;
  readonly #intervalCounts = new Uint32Array(INTERVALS * CLASSES);
  readonly #intervalTotals = new Uint32Array(INTERVALS);
  readonly #intervalMaxima = new Float64Array(INTERVALS);

  constructor(store: MessageStore) {
    this.#store = store;
  }

  /** Starts again, with the answers of these connections; undefined for all. */
  choose(connections: ReadonlySet<number> | undefined): void {
    this.#connections = connections;
    this.#next = this.#store.first;
    this.total = 0;
    this.max = 0;
    this.counts.fill(0);
    this.#interval = FIRST_INTERVAL_US;
    this.#intervalCounts.fill(0);
    this.#intervalTotals.fill(0);
    this.#intervalMaxima.fill(0);
  }

  /** Counts for a while. Returns whether it can go on at once. */
  advance(isTimeOver: () => boolean, end: number): boolean {
    const store = this.#store;
    if (this.#next < store.first) this.#next = store.first;
    while (this.#next < end) {
      const until = Math.min(end, this.#next + ROWS_AT_ONCE);
      for (; this.#next < until; this.#next++) {
        const delay = store.delay(this.#next);
        if (delay < 0 || (store.flags(this.#next) & TO_CLIENT) === 0) continue;
        if (this.#connections?.has(store.connection(this.#next)) === false) continue;
        this.#add(store.time(this.#next), delay);
      }
      if (isTimeOver()) return this.#next < end;
    }
    return false;
  }

  percentile(share: number): number {
    return this.total === 0 ? 0 : Math.min(this.max, percentile(this.counts, 0, this.total, share));
  }

  overTime(): LatencyOverTime {
    const result: LatencyOverTime = { times: [], medians: [], p99s: [], maxima: [] };
    for (let index = 0; index < INTERVALS; index++) {
      const total = this.#intervalTotals[index]!;
      if (total === 0) continue;
      const max = this.#intervalMaxima[index]!;
      const at = (share: number) =>
        Math.min(max, percentile(this.#intervalCounts, index * CLASSES, total, share));
      result.times.push((this.#start + (index + 0.5) * this.#interval) / 1e6);
      result.medians.push(at(0.5));
      result.p99s.push(at(0.99));
      result.maxima.push(max);
    }
    return result;
  }

  #add(time: number, delay: number): void {
    if (this.total === 0) this.#start = time;
    this.total++;
    this.max = Math.max(this.max, delay);
    const delayClass = classOf(delay);
    this.counts[delayClass]!++;
    // The system clock may have been set back.
    let index = Math.max(0, Math.floor((time - this.#start) / this.#interval));
    while (index >= INTERVALS) {
      this.#halve();
      index = Math.floor((time - this.#start) / this.#interval);
    }
    this.#intervalCounts[index * CLASSES + delayClass]!++;
    this.#intervalTotals[index]!++;
    this.#intervalMaxima[index] = Math.max(this.#intervalMaxima[index]!, delay);
  }

  /** Makes one interval of each two. */
  #halve(): void {
    const counts = this.#intervalCounts;
    for (let index = 0; index < INTERVALS; index++) {
      const isUsed = index < INTERVALS / 2;
      for (let each = 0; each < CLASSES; each++) {
        const one = 2 * index * CLASSES + each;
        counts[index * CLASSES + each] = isUsed ? counts[one]! + counts[one + CLASSES]! : 0;
      }
      const [one, other] = [2 * index, 2 * index + 1];
      this.#intervalTotals[index] = isUsed ? this.#intervalTotals[one]! + this.#intervalTotals[other]! : 0;
      this.#intervalMaxima[index] = isUsed
        ? Math.max(this.#intervalMaxima[one]!, this.#intervalMaxima[other]!)
        : 0;
    }
    this.#interval *= 2;
  }
}
