/**
 * Copies short messages of batches. A view of their memory, which `TypedArray.prototype.set` needs, takes longer to make
 * than such a message takes to copy.
 */

/** In bytes. Longer ones are copied faster by `set`. */
export const MOST_BY_WORDS = 256;

/** Copies whole words: up to 3 bytes more than `bytes`, which must belong to the message's place at both ends. */
export function copyWords(
  source: Int32Array,
  from: number,
  target: Int32Array,
  to: number,
  bytes: number,
): void {
  const words = (bytes + 3) >> 2;
  for (let index = 0; index < words; index++) target[to + index] = source[from + index] as number;
}
