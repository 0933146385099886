/** Numbers of rows, ascending: pushed at the end, dropped at the start. */
const FIRST_CAPACITY = 1024;

export class NumberList {
  /** How many were dropped at the start. */
  removed = 0;
  #numbers = new Float64Array(FIRST_CAPACITY);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** @throws {RangeError} */
  at(index: number): number {
    if (index < 0 || index >= this.length) throw new RangeError(`${index} of ${this.length}`);
    return this.#numbers[this.#start + index]!;
  }

  push(number: number): void {
    if (this.#end === this.#numbers.length) this.#makeRoom();
    this.#numbers[this.#end++] = number;
  }

  dropBefore(number: number): void {
    const index = this.lowerBound(number);
    this.#start += index;
    this.removed += index;
  }

  clear(): void {
    this.#start = 0;
    this.#end = 0;
    this.removed = 0;
  }

  /** The index of the first that is not smaller. */
  lowerBound(number: number): number {
    let low = this.#start;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#numbers[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return low - this.#start;
  }

  /** -1 if it is not there. */
  indexOf(number: number): number {
    const index = this.lowerBound(number);
    return index < this.length && this.at(index) === number ? index : -1;
  }

  #makeRoom(): void {
    const rest = this.#numbers.subarray(this.#start, this.#end);
    if (this.#start >= this.#numbers.length / 2) {
      this.#numbers.copyWithin(0, this.#start, this.#end);
    } else {
      const larger = new Float64Array(2 * this.#numbers.length);
      larger.set(rest);
      this.#numbers = larger;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}
