/** Heartbeats of one session: when to send one, and when the other bridge counts as dead. In milliseconds. */
export class Liveness {
  readonly #every: number;
  readonly #deadAfter: number;
  #lastTick = performance.now();
  #silence = 0;
  #quiet = 0;
  #hasSent = false;
  #hasHeard = false;

  constructor(every: number, deadAfter: number) {
    this.#every = every;
    this.#deadAfter = deadAfter;
  }

  // Reading the clock for each frame would cost more than these flags.
  sent(): void {
    this.#hasSent = true;
  }

  heard(): void {
    this.#hasHeard = true;
  }

  /** To be called every `tick` milliseconds, before `isHeartbeatDue`. True shortly before `deadAfter`, never later. */
  isDead(now: number, tick: number): boolean {
    // A process that was stopped or busy has not read the frames that arrived meanwhile.
    const elapsed = Math.min(now - this.#lastTick, 2 * tick);
    this.#lastTick = now;
    this.#silence = this.#hasHeard ? 0 : this.#silence + elapsed;
    this.#quiet = this.#hasSent ? 0 : this.#quiet + elapsed;
    this.#hasHeard = false;
    this.#hasSent = false;
    return this.#silence + 2 * tick > this.#deadAfter;
  }

  isHeartbeatDue(tick: number): boolean {
    // Otherwise the next tick would be too late.
    return this.#quiet + tick > this.#every;
  }
}
