/** How many messages there were in each interval of time: the last minute of a trace, or all of a recording. */

const INTERVALS = 60;
const LIVE_US = 1_000_000;
const FIRST_RECORDED_US = 1000;

export class Rate {
  readonly #counts = new Float64Array(INTERVALS);
  readonly #isLive: boolean;
  #interval: number;
  /** The start of the first interval. */
  #start = -1;

  /** @param isLive whether older intervals are dropped for new ones; else each two become one */
  constructor(isLive: boolean) {
    this.#isLive = isLive;
    this.#interval = isLive ? LIVE_US : FIRST_RECORDED_US;
  }

  /** @param time microseconds since 1970 */
  add(time: number): void {
    if (this.#start < 0) this.#start = this.#isLive ? time - (INTERVALS - 1) * this.#interval : time;
    const index = this.#indexOf(time);
    if (index >= 0) this.#counts[index]!++;
  }

  /** The numbers of messages, up to that time. */
  counts(time: number): Float64Array {
    if (this.#start >= 0 && this.#isLive) this.#indexOf(time);
    return this.#counts;
  }

  #indexOf(time: number): number {
    let index = Math.floor((time - this.#start) / this.#interval);
    while (!this.#isLive && index >= INTERVALS) {
      this.#halve();
      index = Math.floor((time - this.#start) / this.#interval);
    }
    if (index >= INTERVALS) {
      const shift = index - INTERVALS + 1;
      this.#counts.copyWithin(0, shift);
      this.#counts.fill(0, Math.max(0, INTERVALS - shift));
      this.#start += shift * this.#interval;
      index = INTERVALS - 1;
    }
    return index;
  }

  #halve(): void {
    for (let index = 0; index < INTERVALS; index++) {
      this.#counts[index] =
        index < INTERVALS / 2 ? this.#counts[2 * index]! + this.#counts[2 * index + 1]! : 0;
    }
    this.#interval *= 2;
  }
}
