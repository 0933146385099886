/** Divides long work into pieces, between which the page responds. */

const PIECE_MS = 8;

export class Turns {
  #start = performance.now();

  /** Call it between small pieces of work. Lets the page respond if there was work for some time. */
  async next(): Promise<void> {
    if (performance.now() - this.#start < PIECE_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.#start = performance.now();
  }
}
