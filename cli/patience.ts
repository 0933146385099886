/** `--timeout`: how long to wait for anything to happen. */
import { EXIT } from './exit-codes.js';
import { Failure } from './failure.js';
import { onStop } from './stopping.js';

export class Patience {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #seconds: number | undefined;
  #ranOut = false;

  /** @param seconds without end if undefined */
  constructor(seconds: number | undefined) {
    this.#seconds = seconds;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.#expire(), seconds * 1000);
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

  /** Throws if it was impatience that ended what was going on. */
  check(waitingFor: string): void {
    if (!this.#ranOut) return;
    throw new Failure(`timeout: ${waitingFor} for ${this.#seconds} s (--timeout)`, EXIT.timeout);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  #expire(): void {
    this.#ranOut = true;
    this.end();
  }
}
