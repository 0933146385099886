/** What one recvmmsg(2) has received: to be taken before the next one. */

import { MSG_TRUNC } from '../system/linux';
import { os } from '../system/os';
import { type AncillaryData, ROOM_FOR_MARK, ROOM_IN_BATCH, takeAncillaryData } from './ancillary-data';
import { allocateMemory } from './message-memory';

/** The most messages that one recvmmsg receives. */
export const MAX_BATCH = 64;

/** Of each message four numbers: see `recvmmsg` in os.ts. */
const LENGTH = 0;
const FLAGS = 1;
const CONTROL_LENGTH = 2;
const DESCRIPTORS = 3;
const NUMBERS = 4;
const results = new Int32Array(NUMBERS * MAX_BATCH);

/** From this length on, in bytes, messages of a batch do not share their memory. */
const LONG = 16_384;

/** How many bytes of the area that batches are received into stay in memory, at most twice as many for a moment. */
const LARGEST_RESIDENT = 1 << 20;

/** How many bytes of each slot of that area may be in memory. */
const resident = new Int32Array(MAX_BATCH);

/**
 * @param wantsDescriptors whether descriptors that come with the messages are received, too
 * @returns the number of messages, or the negative errno
 */
export function receiveBatch(fd: number, max: number, flags: number, wantsDescriptors: boolean): number {
  return os.recvmmsg(fd, max, results, flags, wantsDescriptors ? ROOM_IN_BATCH : ROOM_FOR_MARK);
}

/** Whether there were descriptors, received or closed by the kernel. */
export function hadDescriptors(count: number): boolean {
  for (let at = 0; at < NUMBERS * count; at += NUMBERS) {
    if (results[at + DESCRIPTORS] !== 0) return true;
  }
  return false;
}

/** The messages, if there are no descriptors with them, and none is empty or cut. */
export function takeMessages(count: number): Buffer[] | undefined {
  let total = 0;
  for (let at = 0; at < NUMBERS * count; at += NUMBERS) {
    const length = results[at + LENGTH] as number;
    if (length === 0 || results[at + DESCRIPTORS] !== 0) return undefined;
    if (((results[at + FLAGS] as number) & MSG_TRUNC) !== 0) return undefined;
    total += length;
  }
  return takeData(count, total);
}

/** The first messages, with what came beside them. */
export function takeWithAncillaryData(count: number): { data: Buffer; ancillary: AncillaryData }[] {
  // First, because long data are taken out of memory that is then given back.
  const ancillary = Array.from({ length: count }, (_, index) => ancillaryDataOf(index));
  let total = 0;
  for (let index = 0; index < count; index++) total += results[NUMBERS * index + LENGTH] as number;
  return takeData(count, total).map((data, index) => ({
    data,
    ancillary: ancillary[index] as AncillaryData,
  }));
}

/** Whether it looks like the end of file: empty, with nothing beside it. */
export function looksLikeEnd(index: number): boolean {
  return results[NUMBERS * index + LENGTH] === 0 && results[NUMBERS * index + CONTROL_LENGTH] === 0;
}

function ancillaryDataOf(index: number): AncillaryData {
  os.takeBatchControl(index, results);
  return takeAncillaryData();
}

function takeData(count: number, total: number): Buffer[] {
  if (total > LONG) return takeLongData(count);
  const memory = allocateMemory(total);
  os.takeBatch(memory, results, 0, count);
  const messages: Buffer[] = [];
  for (let index = 0, start = 0; index < count; index++) {
    const end = start + (results[NUMBERS * index + LENGTH] as number);
    messages.push(memory.subarray(start, end));
    start = end;
  }
  return messages;
}

/** Memory of its own for each message: keeping one does not keep all, and it is cheaper to reuse. */
function takeLongData(count: number): Buffer[] {
  const messages: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const length = results[NUMBERS * index + LENGTH] as number;
    const memory = allocateMemory(length);
    os.takeBatch(memory, results, index, 1);
    messages.push(memory);
    resident[index] = Math.max(resident[index] as number, length);
  }
  if (resident.reduce((sum, bytes) => sum + bytes) > LARGEST_RESIDENT) {
    os.releaseBatch();
    resident.fill(0);
  }
  return messages;
}
