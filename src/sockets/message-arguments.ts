/** Checks of the arguments of the operations that sockets and channels share. */
import {
  checkInteger,
  checkMessagesToSend,
  checkOptions,
  checkSignal,
  type Data,
  type Parts,
  type SignalOption,
} from '../arguments';
import { descriptorOf, type FdSource, isDescriptorNumber } from '../descriptors/file-descriptor';
import { invalidType, outOfRange } from '../errors';
import { MAX_BATCH } from '../messages/batch';
import { type MessageBatch, type Slots, slotsOf } from '../messages/message-batch';
import { SCM_MAX_FD } from '../system/linux';

/** Shared by calls without descriptors; never modified. */
export const NO_FDS: readonly FdSource[] = [];

interface MaxFds {
  maxFds?: number | undefined;
}

export function receiveMessageOptions(options: (MaxFds & SignalOption) | undefined) {
  return { maxFds: checkMaxFds(options), signal: checkSignal(options) };
}

export function checkMaxFds(options: MaxFds | undefined): number {
  const { maxFds } = checkOptions(options);
  return maxFds === undefined ? 0 : checkInteger(maxFds, 'options.maxFds', 0, SCM_MAX_FD);
}

export function checkMax(options: { max?: number | undefined } | undefined): number {
  const { max } = checkOptions(options);
  return max === undefined ? MAX_BATCH : Math.min(checkInteger(max, 'options.max', 1), MAX_BATCH);
}

export function checkMessages(messages: readonly Data[]): Parts[] {
  if (!Array.isArray(messages)) throw invalidType('messages', 'an instance of Array', messages);
  return checkMessagesToSend(messages, 'messages');
}

const NO_DESCRIPTORS: readonly number[] = [];

export function checkDescriptors(fds: readonly FdSource[], name: string): readonly number[] {
  if (fds === NO_FDS) return NO_DESCRIPTORS;
  if (!Array.isArray(fds)) throw invalidType(name, 'an instance of Array', fds);
  if (fds.length > SCM_MAX_FD) throw outOfRange(`${name}.length`, `<= ${SCM_MAX_FD}`, fds.length);
  const numbers: number[] = [];
  for (let index = 0; index < fds.length; index++) {
    const source = fds[index] as FdSource;
    numbers.push(isDescriptorNumber(source) ? source : descriptorOf(source, `${name}[${index}]`));
  }
  return numbers;
}

export function freeSlotsOf(batch: MessageBatch): Slots {
  const slots = slotsOf(batch);
  slots.requireFree();
  return slots;
}

/** Programs can change the lengths. */
export function checkLengths({ length, lengths, bytes }: Slots): void {
  for (let index = 0; index < length; index++) {
    const each = (lengths[index] as number) >>> 0;
    if (each > bytes) throw outOfRange(`batch.lengths[${index}]`, `<= ${bytes}`, each);
  }
}
