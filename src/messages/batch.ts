/**
 * The messages of one recvmmsg(2), in the receive area or in the slots of a batch. Those in the area must be copied
 * before the next recvmmsg(2).
 */

import { systemError } from '../errors';
import { MSG_TRUNC } from '../system/linux';
import { os } from '../system/os';
import { type AncillaryData, decodeAncillaryData, ROOM_FOR_MARK, ROOM_IN_BATCH } from './ancillary-data';
import { bufferView } from './buffer-view';
import type { Slots } from './message-batch';
import { allocateMemory } from './message-memory';

/** The maximum number of messages of one recvmmsg. */
export const MAX_BATCH = 64;

/** The indices of the four numbers of each message: see `recvmmsg` in operating-system.ts. */
const LENGTH = 0;
const FLAGS = 1;
const CONTROL_LENGTH = 2;
const DESCRIPTORS = 3;
const NUMBERS = 4;
const results = new Int32Array(NUMBERS * MAX_BATCH);

/** Batches with more bytes than this have separate memory for each message. */
const LARGEST_SHARED = 16_384;

/** How many bytes of the receive area for batches may stay resident. Twice as many may be resident for a moment. */
const LARGEST_RESIDENT = 1 << 20;

/** The number of bytes that may be resident in the slot of each message. */
const resident = new Int32Array(MAX_BATCH);

/**
 * Receives a batch of messages (recvmmsg(2)).
 *
 * @param max the maximum number of messages
 * @param wantsDescriptors whether to receive descriptors that accompany the messages
 * @param slots where to receive the messages, before the receive area
 * @returns the number of messages, or the negative errno
 */
export function receiveBatch(
  fd: number,
  max: number,
  flags: number,
  wantsDescriptors: boolean,
  slots: Slots | undefined,
): number {
  const room = wantsDescriptors ? ROOM_IN_BATCH : ROOM_FOR_MARK;
  return os.recvmmsg(fd, max, results, flags, room, slots?.memory ?? null, slots?.bytes ?? 0);
}

/** Whether descriptors were received with a message of the batch. */
export function batchHasDescriptors(count: number): boolean {
  for (let at = 0; at < NUMBERS * count; at += NUMBERS) {
    if (results[at + DESCRIPTORS] !== 0) return true;
  }
  return false;
}

/** Whether a message has data, no descriptors, and was not truncated. */
function isPlain(at: number): boolean {
  if (results[at + LENGTH] === 0 || results[at + DESCRIPTORS] !== 0) return false;
  return ((results[at + FLAGS] as number) & MSG_TRUNC) === 0;
}

/** Copies the messages. Returns undefined if any of them has descriptors, is empty or was truncated. */
export function copyMessages(count: number): Buffer[] | undefined {
  let total = 0;
  for (let at = 0; at < NUMBERS * count; at += NUMBERS) {
    if (!isPlain(at)) return undefined;
    total += results[at + LENGTH] as number;
  }
  return copyData(count, total);
}

/**
 * Records the messages in the slots. Returns their total length in bytes; -1, without effect, if any of them has
 * descriptors, is empty, or is longer than a slot.
 */
export function recordMessages(count: number, slots: Slots): number {
  let total = 0;
  for (let index = 0, at = 0; index < count; index++, at += NUMBERS) {
    const length = results[at + LENGTH] as number;
    if (!isPlain(at) || length > slots.bytes) return -1;
    slots.lengths[index] = length;
    total += length;
  }
  slots.length = count;
  return total;
}

/** Copies the first `count` messages, with their ancillary data. */
export function copyWithAncillaryData(
  count: number,
  slots: Slots | undefined,
): { data: Buffer; ancillary: AncillaryData }[] {
  // Decoded first, because copying long data can release the receive area.
  const ancillary = Array.from({ length: count }, (_, index) => ancillaryDataOf(index));
  let total = 0;
  for (let index = 0; index < count; index++) total += results[NUMBERS * index + LENGTH] as number;
  const messages = slots === undefined ? copyData(count, total) : copySlots(count, slots);
  return messages.map((data, index) => ({ data, ancillary: ancillary[index] as AncillaryData }));
}

/** Copies messages out of the slots, and the rest of those that are longer out of the receive area. */
function copySlots(count: number, slots: Slots): Buffer[] {
  const messages: Buffer[] = [];
  let overflowed = false;
  for (let index = 0; index < count; index++) {
    const length = results[NUMBERS * index + LENGTH] as number;
    const memory = allocateMemory(length);
    memory.set(slots.slot(index, Math.min(length, slots.bytes)));
    if (length > slots.bytes) {
      overflowed = true;
      results[NUMBERS * index + LENGTH] = length - slots.bytes;
      checkCopied(os.takeBatch(memory.subarray(slots.bytes), results, index, 1));
    }
    messages.push(memory);
  }
  if (overflowed) os.releaseBatch();
  return messages;
}

/** Whether a message may be the end of file: it is empty and has no ancillary data. */
export function mayBeEndOfFile(index: number): boolean {
  return results[NUMBERS * index + LENGTH] === 0 && results[NUMBERS * index + CONTROL_LENGTH] === 0;
}

function ancillaryDataOf(index: number): AncillaryData {
  checkCopied(os.takeBatchControl(index, results));
  return decodeAncillaryData();
}

/** Throws if the memory was not filled, as in a thread that is being terminated. */
function checkCopied(result: number): void {
  if (result < 0) throw systemError('recvmmsg', result);
}

function copyData(count: number, total: number): Buffer[] {
  if (total > LARGEST_SHARED) return copyLongData(count);
  const memory = allocateMemory(total);
  checkCopied(os.takeBatch(memory, results, 0, count));
  const { buffer } = memory;
  const messages: Buffer[] = [];
  for (let index = 0, start = memory.byteOffset; index < count; index++) {
    const length = results[NUMBERS * index + LENGTH] as number;
    messages.push(bufferView(buffer, start, length));
    start += length;
  }
  return messages;
}

/** Copies each message into separate memory. Retaining one then does not retain all, and reuse is cheaper. */
function copyLongData(count: number): Buffer[] {
  const messages: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const length = results[NUMBERS * index + LENGTH] as number;
    const memory = allocateMemory(length);
    checkCopied(os.takeBatch(memory, results, index, 1));
    messages.push(memory);
    resident[index] = Math.max(resident[index] as number, length);
  }
  if (resident.reduce((sum, bytes) => sum + bytes) > LARGEST_RESIDENT) {
    os.releaseBatch();
    resident.fill(0);
  }
  return messages;
}
