/** How much the memory of this process grows in a long run, after a fifth of it. */
export function growth(count: number) {
  let first: number | undefined;
  let last = 0;
  return {
    sample(done: number): void {
      if (first === undefined ? done < count / 5 : done < last + count / 100) return;
      const { rss } = process.memoryUsage();
      first ??= rss;
      last = done;
      this.bytes = rss - first;
    },
    /** The growth up to the last sample. */
    bytes: 0,
  };
}
