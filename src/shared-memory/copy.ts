/** Copies between the ring and the memory of callers. */

/** Up to this length, in bytes, a loop is faster than a view of the source. */
const LONGEST_IN_LOOP = 96;

/** Copies exactly `bytes` bytes, even if the memory of the source grows meanwhile. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  bytes: number,
  target: Uint8Array,
  at: number,
): void {
  if (bytes > LONGEST_IN_LOOP) target.set(source.subarray(start, start + bytes), at);
  else for (let index = 0; index < bytes; index++) target[at + index] = source[start + index] as number;
}
