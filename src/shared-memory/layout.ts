/** The format in memory and on the socket, as docs/shared-memory.md describes it. */

/** The length of the header of a region, in bytes. The ring follows. */
export const HEADER_BYTES = 4096;

export const SMALLEST_CAPACITY = 4096;
export const LARGEST_CAPACITY: number = 2 ** 30;

/** The words of the header, as indices of an Int32Array. Each is in a cache line of its own. */
export const TAIL = 0;
export const HEAD = 32;
export const CONSUMER_SLEEPS = 64;
export const PRODUCER_SLEEPS = 96;

/** The kinds of records. */
export const MESSAGE = 1;
export const MESSAGE_WITH_FDS = 2;
export const PADDING = 3;

export const RECORD_HEADER_BYTES = 8;

/** The length of a record whose content has this length, in bytes. */
export function recordBytes(length: number): number {
  return (length + RECORD_HEADER_BYTES + 7) & ~7;
}

/** The length of the longest message, in bytes. */
export function longestMessage(capacity: number): number {
  return capacity / 2 - RECORD_HEADER_BYTES;
}

/** The first bytes of the messages on the socket after the hand-shake. */
export const WAKE_UP = 1;
export const DESCRIPTORS = 2;
export const END = 3;

/** The hand-shake: the magic bytes, the version and the capacity. */
export const MAGIC: Buffer = Buffer.from('SQPKTSHM');
export const VERSION = 1;
export const HAND_SHAKE_BYTES = 16;

/** The maximum number of descriptors of one direction that are on their way. */
export const MOST_FDS_ON_THEIR_WAY = 253;
