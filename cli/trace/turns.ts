/** Mutual exclusion of asynchronous steps, in the order in which they ask. */
export class Turns {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /** Undefined if the turn begins at once; otherwise resolves when it begins. */
  take(): Promise<void> | undefined {
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    return undefined;
  }

  end(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }
}
