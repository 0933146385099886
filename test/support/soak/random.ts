/** Choices that a seed repeats. */
export class Random {
  #state = 0;

  constructor(...seeds: number[]) {
    for (const seed of seeds) {
      this.#state ^= seed;
      this.#next();
    }
  }

  /** From 0 to below 2^32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (bits ^ (bits >>> 14)) >>> 0;
  }

  /** Both included. */
  between(least: number, most: number): number {
    return least + (this.#next() % (most - least + 1));
  }

  chance(likely: number): boolean {
    return this.#next() < likely * 2 ** 32;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)] as T;
  }

  /** One of the names; a name of weight 2 is twice as likely as one of weight 1. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const names = Object.entries(weights) as [Name, number][];
    let left = this.between(
      1,
      names.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [name, weight] of names) {
      left -= weight;
      if (left <= 0) return name;
    }
    throw new Error('There are no weights');
  }
}
