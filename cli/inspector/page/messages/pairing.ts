/** Pairs the requests and the answers of a connection, in their order. */

/** Without answers, older requests are forgotten. */
const MAX_WAITING = 10_000;

export class Pairing {
  #numbers: number[] = [];
  #times: number[] = [];
  #oldest = 0;

  request(number: number, time: number): void {
    this.#numbers.push(number);
    this.#times.push(time);
    if (this.#numbers.length - this.#oldest > MAX_WAITING) this.#forget();
  }

  /** The request of the answer that came now; undefined if no request waits. */
  answer(): { number: number; time: number } | undefined {
    const number = this.#numbers[this.#oldest];
    const time = this.#times[this.#oldest];
    if (number === undefined || time === undefined) return undefined;
    this.#forget();
    return { number, time };
  }

  /** Forgets all requests, when answers were missed. */
  clear(): void {
    this.#numbers = [];
    this.#times = [];
    this.#oldest = 0;
  }

  #forget(): void {
    this.#oldest++;
    if (this.#oldest * 2 < this.#numbers.length) return;
    this.#numbers = this.#numbers.slice(this.#oldest);
    this.#times = this.#times.slice(this.#oldest);
    this.#oldest = 0;
  }
}
