/** Memory for messages that are received whole: slabs, in which they lie one behind the other. */

const SLAB_BYTES = 65_536;
/** Longer ones get memory of their own, so that nobody keeps much of it alive with a short message. */
const LONGEST_IN_SLAB = 16_384;

let slab = Buffer.alloc(0);
let used = 0;

/** The free rest of a slab, of `least` bytes or more: for a message of unknown length, before it is taken. */
export function freeMemory(least: number): Buffer {
  if (slab.length - used < least) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  return slab.subarray(used);
}

/** Memory that is the caller's alone. What was written to {@link freeMemory} before is at its beginning. */
export function takeMemory(bytes: number): Buffer {
  const memory = slab.subarray(used, used + bytes);
  used += (bytes + 7) & ~7;
  return memory;
}

/** Memory for messages of that many bytes together; the caller's alone. */
export function allocateMemory(bytes: number): Buffer {
  if (bytes > LONGEST_IN_SLAB) return Buffer.allocUnsafeSlow(bytes);
  freeMemory(bytes);
  return takeMemory(bytes);
}
