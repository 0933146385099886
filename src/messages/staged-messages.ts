/**
 * Short messages are copied into one memory before they are sent together. That costs less than the calls by which the C
 * layer would get the address of each message.
 */
import type { Parts } from '../arguments';
import { MAX_BATCH } from './batch';
import { Slots } from './message-batch';

/** The maximum length of a staged message in bytes. An odd number of cache lines, so that slots use all cache sets. */
const LONGEST = 960;

let slots: Slots | undefined;

/**
 * Copies the messages for one sendmmsg(2), beginning with the one at the index `start`. They are valid until the next
 * call. Returns undefined if one of them is long or has several parts.
 */
export function stageMessages(messages: readonly Parts[], start: number): Slots | undefined {
  const end = Math.min(start + MAX_BATCH, messages.length);
  slots ??= new Slots(MAX_BATCH, LONGEST);
  slots.length = 0;
  for (let index = start; index < end; index++) {
    const parts = messages[index] as Parts;
    if (Array.isArray(parts) || parts.length > LONGEST) return undefined;
    slots.append(parts, parts.length);
  }
  return slots;
}
