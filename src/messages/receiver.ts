/** The receiving side of one socket: recvmsg(2) and recvmmsg(2), the end of file, resets, and held messages. */
import { byteLength, type Parts } from '../arguments';
import { endOfFile, type SeqpacketError, systemError } from '../errors';
import {
  EAGAIN,
  ECONNRESET,
  EMSGSIZE,
  ENOMEM,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
} from '../system/linux';
import { os } from '../system/os';
import { WOULD_BLOCK } from '../waiting/operation-queue';
import { charge } from '../waiting/turn';
import {
  type AncillaryData,
  closeDescriptors,
  decodeAncillaryData,
  NO_ANCILLARY_DATA,
  ROOM_FOR_ALL,
  ROOM_FOR_CREDENTIALS,
  ROOM_FOR_MARK,
  registerControlBlock,
  roomOfLastReceive,
} from './ancillary-data';
import {
  batchHasDescriptors,
  copyMessages,
  copyWithAncillaryData,
  MAX_BATCH,
  mayBeEndOfFile,
  receiveBatch,
  recordMessages,
} from './batch';
import type { Connection } from './connection';
import type { EmptyMessages } from './empty-messages';
import { type HeldMessage, HeldMessages } from './held-messages';
import type { Slots } from './message-batch';
import { commitMemory, reserveMemory } from './message-memory';
import type { MessageSource } from './message-source';
import { assemble, copyToParts } from './scatter-gather';

const NO_BUFFER = new Uint8Array(0);

/** Shared by receivers that have not held a message yet; never modified. */
const NOTHING_HELD = new HeldMessages();

/** The minimum room for a message of unknown length, in bytes. */
const LEAST_ROOM = 4096;

/** If messages are expected to be longer than this, in bytes, a batch has one message. */
const LONGEST_OF_BATCH = 32_768;

/** The receiving side of one socket. */
export class Receiver implements MessageSource {
  readonly #connection: Connection;
  #held: HeldMessages = NOTHING_HELD;
  #ancillary: AncillaryData = NO_ANCILLARY_DATA;
  #emptyMessages: EmptyMessages = 'eof';
  /** The expected length of the next message in bytes, from previous messages. A longer message costs a copy. */
  #expectedLength = LEAST_ROOM;
  /** The number of messages to receive singly before the next batch. */
  #singleReceives = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    registerControlBlock();
  }

  /** The total length of the held messages, in bytes. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  get holdsMessage(): boolean {
    return this.#held.length > 0;
  }

  /** Receives one message into the parts. Returns its length in bytes, or WOULD_BLOCK. */
  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK {
    const held = this.#held.first;
    if (held !== undefined) return this.#receiveHeld(held, parts, flags);
    const bytes = this.#receive(parts, flags, ROOM_FOR_ALL);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    const room = roomOfLastReceive();
    if (bytes > room) {
      if ((flags & MSG_TRUNC) === 0) throw this.#holdTooLong(bytes, parts, room, flags);
      os.takeOverflow(NO_BUFFER);
    }
    if ((flags & MSG_PEEK) === 0) this.#count(bytes);
    return bytes;
  }

  /**
   * Receives one message of any length, into memory that is not written to again.
   *
   * @param controlRoom the room for control messages, in bytes: see ancillary-data.ts
   */
  receiveWhole(controlRoom: number): Buffer | typeof WOULD_BLOCK {
    const held = this.#held.first;
    if (held !== undefined) {
      this.#throwIfRefused(held, 0);
      this.#deliverHeld(held);
      return held.data;
    }
    const room = reserveMemory(this.#expectedLength);
    const bytes = this.#receive(room, 0, controlRoom);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    this.#count(bytes);
    const data = bytes > room.length ? assemble(bytes, room, room.length) : commitMemory(room, bytes);
    this.#updateExpectedLength(bytes);
    return data;
  }

  /** Receives between 1 and `max` messages with one system call. Their descriptors are closed. */
  receiveBatch(max: number): Buffer[] | typeof WOULD_BLOCK {
    if (this.#held.length > 0) return this.#receiveHeldBatch(max);
    if (this.#expectedLength > LONGEST_OF_BATCH || this.#singleReceives > 0) return this.#receiveOne();
    const count = this.#receiveBatch(max, undefined);
    if (count === WOULD_BLOCK) return WOULD_BLOCK;
    if (count === -ENOMEM) return this.#receiveOne();
    if (count < 0) throw this.failure(count);
    const messages = copyMessages(count);
    if (messages === undefined) {
      this.#recordDescriptors(batchHasDescriptors(count), false);
      this.#holdBatch(count, undefined);
      return this.#receiveHeldBatch(max);
    }
    let longest = 0;
    for (const { length } of messages) {
      this.#count(length);
      longest = Math.max(longest, length);
    }
    this.#updateExpectedLength(longest);
    return messages;
  }

  /**
   * Receives messages into the slots with one system call: at least 1, and at most as many as there are slots. Their
   * descriptors are closed. A message that is longer than a slot is held, as the messages after it.
   */
  receiveIntoSlots(slots: Slots): number | typeof WOULD_BLOCK {
    slots.length = 0;
    if (this.#held.length > 0) return this.#receiveHeldIntoSlots(slots);
    if (this.#singleReceives > 0) return this.#receiveIntoSlot(slots);
    const count = this.#receiveBatch(Math.min(slots.capacity, MAX_BATCH), slots);
    if (count === WOULD_BLOCK) return WOULD_BLOCK;
    if (count === -ENOMEM) return this.#receiveIntoSlot(slots);
    if (count < 0) throw this.failure(count);
    const bytes = recordMessages(count, slots);
    if (bytes === -1) {
      this.#recordDescriptors(batchHasDescriptors(count), true);
      this.#holdBatch(count, slots);
      return this.#receiveHeldIntoSlots(slots);
    }
    this.#connection.messagesReceived += count;
    this.#connection.bytesReceived += bytes;
    charge(bytes, 0);
    return count;
  }

  #receiveIntoSlot(slots: Slots): number | typeof WOULD_BLOCK {
    const bytes = this.receive(slots.slot(0), 0);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    const ancillary = this.takeAncillaryData();
    closeDescriptors(ancillary);
    this.#recordDescriptors(ancillary.truncated || ancillary.fds.length > 0, true);
    slots.lengths[0] = bytes;
    slots.length = 1;
    return 1;
  }

  #receiveHeldIntoSlots(slots: Slots): number {
    for (const held of this.#held) {
      const isLast = slots.length === slots.capacity;
      if (isLast || this.#isRefused(held) || held.data.length > slots.bytes) break;
      slots.append(held.data, held.data.length);
    }
    const { length } = slots;
    if (length === 0) {
      const first = this.#held.first as HeldMessage;
      this.#throwIfRefused(first, 0);
      throw this.#messageSizeError(first.data.length);
    }
    for (let index = 0; index < length; index++) {
      this.#held.discard();
      this.#count(slots.lengths[index] as number);
    }
    return length;
  }

  /** Receives a batch of one. For long messages, the copy from the receive area costs more than a system call. */
  #receiveOne(): Buffer[] | typeof WOULD_BLOCK {
    const data = this.receiveWhole(ROOM_FOR_CREDENTIALS);
    if (data === WOULD_BLOCK) return WOULD_BLOCK;
    const ancillary = this.takeAncillaryData();
    closeDescriptors(ancillary);
    this.#recordDescriptors(ancillary.truncated || ancillary.fds.length > 0, false);
    return [data];
  }

  /**
   * Records whether messages had descriptors. If so, the next messages are received singly: a batch of 64 would hold up
   * to 16,192 descriptors. They are needed only if a message after an empty one is later received with descriptors.
   */
  #recordDescriptors(had: boolean, mayHold: boolean): void {
    if (had && (mayHold || this.emptyMessages === 'eof')) this.#singleReceives = MAX_BATCH;
    else if (this.#singleReceives > 0) this.#singleReceives--;
  }

  #updateExpectedLength(bytes: number): void {
    this.#expectedLength = Math.max(bytes, this.#expectedLength >> 1, LEAST_ROOM);
  }

  #receiveHeldBatch(max: number): Buffer[] {
    const messages: Buffer[] = [];
    for (const held of this.#held) {
      if (messages.length === max || this.#isRefused(held)) break;
      messages.push(held.data);
    }
    if (messages.length === 0) this.#throwIfRefused(this.#held.first as HeldMessage, 0);
    for (const { length } of messages) {
      this.#held.discard();
      this.#count(length);
    }
    return messages;
  }

  /** How to report zero-length messages. */
  get emptyMessages(): EmptyMessages {
    return this.#emptyMessages;
  }

  set emptyMessages(mode: EmptyMessages) {
    if (mode === 'deliver') this.#connection.enableMarks();
    this.#emptyMessages = mode;
  }

  /** Removes and returns the ancillary data of the last message. The caller owns its descriptors. */
  takeAncillaryData(): AncillaryData {
    const ancillary = this.#ancillary;
    this.#ancillary = NO_ANCILLARY_DATA;
    return ancillary;
  }

  /** Discards the ancillary data of the last message, and closes its descriptors. */
  discardAncillaryData(): void {
    if (this.#ancillary !== NO_ANCILLARY_DATA) closeDescriptors(this.takeAncillaryData());
  }

  /** Closes the descriptors of held messages. */
  close(): void {
    this.#held.clear();
  }

  failure(errno: number): SeqpacketError {
    return systemError('recvmsg', errno, this.#connection.name);
  }

  /** Calls recvmsg(2). The result is greater than the length of the parts if the message has overflowed. */
  #receive(parts: Parts, flags: number, controlRoom: number): number | typeof WOULD_BLOCK {
    const bytes = this.#recvmsg(parts, flags, controlRoom);
    if (bytes === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (bytes < 0) throw this.failure(bytes);

    const ancillary = decodeAncillaryData();
    if (bytes === 0 && (this.emptyMessages === 'eof' || !ancillary.present) && !this.#isUnmarkedMessage()) {
      closeDescriptors(ancillary);
      throw this.#endOfFileError(flags, ancillary.present);
    }
    if (ancillary.cut && (flags & MSG_TRUNC) === 0) {
      os.takeOverflow(NO_BUFFER);
      closeDescriptors(ancillary);
      throw this.#messageSizeError(bytes);
    }
    this.#ancillary = ancillary;
    return bytes;
  }

  /**
   * Whether an apparent end of file is an empty message to be delivered. This is possible only if another owner of the
   * socket has disabled the marks. An empty message directly before the end of file is reported as end of file.
   */
  #isUnmarkedMessage(): boolean {
    return this.emptyMessages === 'deliver' && !this.#connection.areMarksEnabled && !this.#isAtEnd();
  }

  /** Calls recvmsg(2), and repeats it after a reset. The reset is reported after the last message. */
  #recvmsg(parts: Parts, flags: number, controlRoom: number): number {
    const { fd } = this.#connection;
    const systemFlags = flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const bytes = os.recvmsg(fd, parts, systemFlags, controlRoom);
    if (bytes !== -ECONNRESET) return bytes;
    this.#connection.recordReset();
    return os.recvmsg(fd, parts, systemFlags, controlRoom);
  }

  /** Calls recvmmsg(2). Returns the number of messages, or the negative errno. */
  #receiveBatch(max: number, slots: Slots | undefined): number | typeof WOULD_BLOCK {
    const { fd } = this.#connection;
    // At end of file, the kernel fills the rest of a batch with empty results, which look like empty messages.
    if (!this.#connection.hasEnabledMarks) this.#connection.enableMarks();
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    // Held messages may be received with descriptors: those from an empty message on that is reported as end of file, and
    // those from a message on that is longer than its slot.
    const mayHold = slots !== undefined || this.emptyMessages === 'eof';
    let count = receiveBatch(fd, max, flags, mayHold, slots);
    if (count === -ECONNRESET) {
      this.#connection.recordReset();
      count = receiveBatch(fd, max, flags, mayHold, slots);
    }
    return count === -EAGAIN ? WOULD_BLOCK : count;
  }

  #hold(data: Buffer, ancillary: AncillaryData): void {
    if (this.#held === NOTHING_HELD) this.#held = new HeldMessages();
    this.#held.add(data, ancillary);
  }

  /** Holds the messages of a batch. Throws if it contains only the end of file. */
  #holdBatch(length: number, slots: Slots | undefined): void {
    let count = length;
    // A result without a mark is the end of file, unless another owner of the socket has disabled the marks.
    if (mayBeEndOfFile(length - 1) && this.#isAtEnd()) while (count > 0 && mayBeEndOfFile(count - 1)) count--;
    if (count === 0) throw this.#endOfFileError(0, false);
    for (const { data, ancillary } of copyWithAncillaryData(count, slots)) this.#hold(data, ancillary);
  }

  /** Whether the end of file comes next, and not an empty message. */
  #isAtEnd(): boolean {
    this.#connection.enableMarks();
    const bytes = this.#recvmsg(NO_BUFFER, MSG_PEEK, ROOM_FOR_MARK);
    if (bytes > 0) os.takeOverflow(NO_BUFFER);
    if (bytes < 0) return false;
    const ancillary = decodeAncillaryData();
    closeDescriptors(ancillary);
    return bytes === 0 && !ancillary.present;
  }

  /** Holds a message that is longer than its buffer, for the next receive. Returns the error. */
  #holdTooLong(bytes: number, parts: Parts, room: number, flags: number): SeqpacketError {
    if ((flags & MSG_PEEK) !== 0) {
      os.takeOverflow(NO_BUFFER);
      this.discardAncillaryData();
    } else {
      this.#hold(assemble(bytes, parts, room), this.takeAncillaryData());
    }
    return this.#messageSizeError(bytes);
  }

  #receiveHeld(held: HeldMessage, parts: Parts, flags: number): number {
    const { data } = held;
    this.#throwIfRefused(held, flags);
    if (data.length > byteLength(parts) && (flags & MSG_TRUNC) === 0) {
      throw this.#messageSizeError(data.length);
    }
    copyToParts(data, parts);
    if ((flags & MSG_PEEK) !== 0) this.#ancillary = this.#held.peek();
    else this.#deliverHeld(held);
    return data.length;
  }

  #deliverHeld({ data }: HeldMessage): void {
    this.#ancillary = this.#held.shift();
    this.#count(data.length);
  }

  /** Whether a held message is reported as an error: it was truncated, or is empty and reported as end of file. */
  #isRefused({ data, cut }: HeldMessage): boolean {
    return cut || (data.length === 0 && this.emptyMessages === 'eof');
  }

  /** Throws for a refused message, and removes the message, except in a peek. */
  #throwIfRefused(held: HeldMessage, flags: number): void {
    if (!this.#isRefused(held)) return;
    if ((flags & MSG_PEEK) === 0) this.#held.discard();
    throw held.cut ? this.#messageSizeError(held.data.length) : endOfFile(this.#connection.name);
  }

  /**
   * The error at end of file, and for an empty message that is reported as such. A recorded reset is reported once, at
   * the end of file.
   */
  #endOfFileError(flags: number, isMessage: boolean): SeqpacketError {
    if (!this.#connection.wasReset || isMessage) return endOfFile(this.#connection.name);
    if ((flags & MSG_PEEK) === 0) this.#connection.clearReset();
    return this.failure(-ECONNRESET);
  }

  #count(bytes: number): void {
    this.#connection.messagesReceived++;
    this.#connection.bytesReceived += bytes;
    charge(bytes, 0);
  }

  #messageSizeError(messageSize: number): SeqpacketError {
    return Object.assign(this.failure(-EMSGSIZE), { messageSize });
  }
}
