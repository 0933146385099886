/** Memory for messages that are received whole: slabs, in which short ones lie one behind the other. */
import { markAsUntransferable } from 'node:worker_threads';

const SLAB_BYTES = 65_536;
/** Longer messages get memory of their own, so that a short one does not keep much of it alive. */
const LONGEST_IN_SLAB = 16_384;
/** No more than this is offered before there is a message. */
const LARGEST_OFFER = 1 << 20;
const PAGE_BYTES = 4096;

let slab = Buffer.alloc(0);
let used = 0;

/** What is offered to long messages, until one has come that fills most of it. */
let spare = Buffer.alloc(0);

/** Memory for a message of unknown length that may be as long as expected; see {@link commitMemory}. */
export function reserveMemory(expected: number): Buffer {
  if (expected > LONGEST_IN_SLAB) return spareMemory(Math.min(expected, LARGEST_OFFER));
  if (slab.length - used < expected) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    // Like the pool of Node.js: transferring one message must not take the others with it.
    markAsUntransferable(slab.buffer);
    used = 0;
  }
  return slab.subarray(used);
}

function spareMemory(bytes: number): Buffer {
  if (spare.length < bytes) spare = Buffer.allocUnsafeSlow(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
  return spare;
}

/** The first bytes of what {@link reserveMemory} gave last; the caller's alone from now on. */
export function commitMemory(free: Buffer, bytes: number): Buffer {
  if (free === spare) return takeSpareMemory(bytes);
  used += (bytes + 7) & ~7;
  return free.subarray(0, bytes);
}

function takeSpareMemory(bytes: number): Buffer {
  const memory = spare.subarray(0, bytes);
  if (bytes < spare.length - (spare.length >> 2)) {
    const copy = allocateMemory(bytes);
    copy.set(memory);
    return copy;
  }
  spare = Buffer.alloc(0);
  return memory;
}

/** Memory for messages of that many bytes together; the caller's alone. */
export function allocateMemory(bytes: number): Buffer {
  return bytes > LONGEST_IN_SLAB ? Buffer.allocUnsafeSlow(bytes) : commitMemory(reserveMemory(bytes), bytes);
}
