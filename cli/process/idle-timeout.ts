/** `--timeout`: limits the time without activity. */
import { setMaxListeners } from 'node:events';
import { EXIT } from './exit-codes.js';
import { Failure } from './failure.js';
import { offStop, onStop } from './stopping.js';

export class IdleTimeout {
  readonly #controller = new AbortController();
  readonly #seconds: number | undefined;
  readonly #end = () => this.end();
  #timer: NodeJS.Timeout | undefined;
  #suspensions = 0;
  #hasExpired = false;

  /** @param seconds undefined: no limit */
  constructor(seconds: number | undefined) {
    // One listener for each connection.
    setMaxListeners(0, this.signal);
    this.#seconds = seconds;
    this.#start();
    onStop(this.#end);
  }

  /** Aborted when the time is over, when the process is to stop, and by `end`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Infinity without a limit. */
  get milliseconds(): number {
    return (this.#seconds ?? Number.POSITIVE_INFINITY) * 1000;
  }

  get hasExpired(): boolean {
    return this.#hasExpired;
  }

  /** To be called on every activity. */
  restart(): void {
    if (!this.signal.aborted) this.#timer?.refresh();
  }

  /** Stops the clock during work whose activity cannot be observed. */
  async suspendDuring<T>(work: Promise<T>): Promise<T> {
    this.#suspensions++;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      return await work;
    } finally {
      this.#suspensions--;
      this.#start();
    }
  }

  /** @param reason the missing activity, for the error message */
  throwIfExpired(reason: string): void {
    if (!this.#hasExpired) return;
    throw new Failure(`timeout: ${reason} for ${this.#seconds} s (--timeout)`, EXIT.timeout);
  }

  end(): void {
    clearTimeout(this.#timer);
    offStop(this.#end);
    this.#controller.abort();
  }

  #start(): void {
    if (this.#seconds === undefined || this.#suspensions > 0 || this.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#hasExpired = true;
      this.end();
    }, this.#seconds * 1000);
  }
}
