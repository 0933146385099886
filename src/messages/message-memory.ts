/** Memory for messages that are received whole. Short messages share slabs. */
import { markAsUntransferable } from 'node:worker_threads';
import { bufferView } from './buffer-view';

const SLAB_BYTES = 65_536;
/** Longer messages get separate memory, in bytes, so that a short message does not retain a large slab. */
const LONGEST_IN_SLAB = 16_384;
/** The maximum number of bytes that are reserved before a message is received. */
const LARGEST_RESERVATION = 1 << 20;
const PAGE_BYTES = 4096;

let slab = new ArrayBuffer(0);
/** The number of bytes of the slab that are in use. There is no slab at first. */
let used = SLAB_BYTES + 1;

/** The memory reserved for long messages. It is reused until a message fills most of it. */
let spare = Buffer.alloc(0);

/** Reserves memory for a message of unknown length, with room for `expected` bytes; see {@link commitMemory}. */
export function reserveMemory(expected: number): Buffer {
  if (expected > LONGEST_IN_SLAB) return spareMemory(Math.min(expected, LARGEST_RESERVATION));
  makeRoom(expected);
  return bufferView(slab, used, SLAB_BYTES - used);
}

function makeRoom(bytes: number): void {
  if (SLAB_BYTES - used >= bytes) return;
  slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
  // As with the pool of Node.js, transferring one message must not detach the others.
  markAsUntransferable(slab);
  used = 0;
}

/** Takes memory from the slab, which has enough. */
function takeRoom(bytes: number): Buffer {
  const start = used;
  used += (bytes + 7) & ~7;
  return bufferView(slab, start, bytes);
}

function spareMemory(bytes: number): Buffer {
  if (spare.length < bytes) spare = Buffer.allocUnsafeSlow(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
  return spare;
}

/**
 * Returns the first bytes of the memory last returned by {@link reserveMemory}. The caller then owns them exclusively.
 */
export function commitMemory(reserved: Buffer, bytes: number): Buffer {
  if (reserved === spare) return commitSpareMemory(bytes);
  return takeRoom(bytes);
}

function commitSpareMemory(bytes: number): Buffer {
  const memory = spare.subarray(0, bytes);
  if (bytes < spare.length - (spare.length >> 2)) {
    const copy = allocateMemory(bytes);
    copy.set(memory);
    return copy;
  }
  spare = Buffer.alloc(0);
  return memory;
}

/** Returns memory for messages with this total length in bytes. The caller owns it exclusively. */
export function allocateMemory(bytes: number): Buffer {
  if (bytes > LONGEST_IN_SLAB) return Buffer.allocUnsafeSlow(bytes);
  makeRoom(bytes);
  return takeRoom(bytes);
}
