/** `--timeout`: how long to wait for anything to happen. */
import { setMaxListeners } from 'node:events';
import { EXIT } from './exit-codes.js';
import { Failure } from './failure.js';
import { onStop } from './stopping.js';

export class Patience {
  readonly #controller = new AbortController();
  readonly #seconds: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unseen = 0;
  #ranOut = false;

  /** @param seconds without end if undefined */
  constructor(seconds: number | undefined) {
    // Each connection is one.
    setMaxListeners(0, this.signal);
    this.#seconds = seconds;
    this.#arm();
    onStop(() => this.end());
  }

  /** Aborted when patience has run out, and when everything shall end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has happened: the time begins anew. */
  touch(): void {
    if (!this.signal.aborted) this.#timer?.refresh();
  }

  /** Does not count the time of work that nobody can look into. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#unseen++;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      return await work;
    } finally {
      this.#unseen--;
      this.#arm();
    }
  }

  /** Throws if it was impatience that ended what was going on. */
  check(waitingFor: string): void {
    if (!this.#ranOut) return;
    throw new Failure(`timeout: ${waitingFor} for ${this.#seconds} s (--timeout)`, EXIT.timeout);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  #arm(): void {
    if (this.#seconds === undefined || this.#unseen > 0 || this.signal.aborted) return;
    this.#timer = setTimeout(() => this.#expire(), this.#seconds * 1000);
  }

  #expire(): void {
    this.#ranOut = true;
    this.end();
  }
}
