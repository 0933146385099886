/** The receiving side of one socket: one recvmsg(2) or recvmmsg(2), the end of file, resets, and held messages. */
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
  NO_ANCILLARY_DATA,
  ROOM_FOR_ALL,
  ROOM_FOR_CREDENTIALS,
  ROOM_FOR_MARK,
  registerControlBlock,
  roomOfLastReceive,
  takeAncillaryData,
} from './ancillary-data';
import {
  hadDescriptors,
  looksLikeEnd,
  MAX_BATCH,
  receiveBatch,
  takeMessages,
  takeWithAncillaryData,
} from './batch';
import type { Connection } from './connection';
import type { EmptyMessages } from './empty-messages';
import { type HeldMessage, HeldMessages } from './held-messages';
import { commitMemory, reserveMemory } from './message-memory';
import { assemble, copyToParts } from './scatter-gather';

const NO_BUFFER = new Uint8Array(0);

/** How much room a message of unknown length is offered at least. */
const LEAST_ROOM = 4096;

/** Where messages are longer, in bytes, a batch is of one. */
const LONGEST_OF_BATCH = 32_768;

/** The receiving side of one socket. */
export class Receiver {
  readonly #connection: Connection;
  readonly #held: HeldMessages = new HeldMessages();
  #ancillary: AncillaryData = NO_ANCILLARY_DATA;
  #emptyMessages: EmptyMessages = 'eof';
  /** How long the next message may be, by those before: what is longer costs a copy. */
  #expected = LEAST_ROOM;
  /** How many messages are received one by one before the next batch. */
  #oneByOne = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    registerControlBlock();
  }

  /** The bytes that are neither in the kernel's queue nor with the application. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  get holdsMessage(): boolean {
    return this.#held.length > 0;
  }

  /** Receives one message into the parts; throws the error; or says that there is none yet. */
  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK {
    const held = this.#held.first;
    if (held !== undefined) return this.#receiveHeld(held, parts, flags);
    const bytes = this.#receive(parts, flags, ROOM_FOR_ALL);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    const room = roomOfLastReceive();
    if (bytes > room) {
      if ((flags & MSG_TRUNC) === 0) throw this.#tooLong(bytes, parts, room, flags);
      os.takeOverflow(NO_BUFFER);
    }
    if ((flags & MSG_PEEK) === 0) this.#count(bytes);
    return bytes;
  }

  /**
   * Receives one message, however long, into memory that is not written to again.
   *
   * @param controlRoom for what comes beside it: see ancillary-data.ts
   */
  receiveWhole(controlRoom: number): Buffer | typeof WOULD_BLOCK {
    const held = this.#held.first;
    if (held !== undefined) {
      this.#refuse(held, 0);
      this.#takeHeld(held);
      return held.data;
    }
    const room = reserveMemory(this.#expected);
    const bytes = this.#receive(room, 0, controlRoom);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    this.#count(bytes);
    const data = bytes > room.length ? assemble(bytes, room, room.length) : commitMemory(room, bytes);
    this.#expect(bytes);
    return data;
  }

  /** Receives 1 to `max` messages, in one system call; their descriptors are closed. */
  receiveBatch(max: number): Buffer[] | typeof WOULD_BLOCK {
    if (this.#held.length > 0) return this.#receiveHeldBatch(max);
    if (this.#expected > LONGEST_OF_BATCH || this.#oneByOne > 0) return this.#receiveOne();
    const count = this.#receiveBatch(max);
    if (count === WOULD_BLOCK) return WOULD_BLOCK;
    if (count === -ENOMEM) return this.#receiveOne();
    if (count < 0) throw this.failure(count);
    const messages = takeMessages(count);
    if (messages === undefined) {
      this.#noteDescriptors(hadDescriptors(count));
      this.#holdBatch(count);
      return this.#receiveHeldBatch(max);
    }
    let longest = 0;
    for (const { length } of messages) {
      this.#count(length);
      longest = Math.max(longest, length);
    }
    this.#expect(longest);
    return messages;
  }

  /** A batch of one. For long messages the copy out of the batch's memory costs more than a system call. */
  #receiveOne(): Buffer[] | typeof WOULD_BLOCK {
    const data = this.receiveWhole(ROOM_FOR_CREDENTIALS);
    if (data === WOULD_BLOCK) return WOULD_BLOCK;
    const ancillary = this.takeAncillaryData();
    closeDescriptors(ancillary);
    this.#noteDescriptors(ancillary.truncated || ancillary.fds.length > 0);
    return [data];
  }

  /**
   * After descriptors the next messages are received one by one: a batch of 64 would hold up to 16,192
   * descriptors, which are only needed if a message behind an empty one is received with them later.
   */
  #noteDescriptors(had: boolean): void {
    if (had && this.emptyMessages === 'eof') this.#oneByOne = MAX_BATCH;
    else if (this.#oneByOne > 0) this.#oneByOne--;
  }

  #expect(bytes: number): void {
    this.#expected = Math.max(bytes, this.#expected >> 1, LEAST_ROOM);
  }

  #receiveHeldBatch(max: number): Buffer[] {
    const messages: Buffer[] = [];
    for (const held of this.#held) {
      if (messages.length === max || this.#isRefused(held)) break;
      messages.push(held.data);
    }
    if (messages.length === 0) this.#refuse(this.#held.first as HeldMessage, 0);
    for (const { length } of messages) {
      this.#held.drop();
      this.#count(length);
    }
    return messages;
  }

  /** What an empty message is reported as. */
  get emptyMessages(): EmptyMessages {
    return this.#emptyMessages;
  }

  set emptyMessages(mode: EmptyMessages) {
    if (mode === 'deliver') this.#connection.enableMarks();
    this.#emptyMessages = mode;
  }

  /** Takes what came with the message that was received last. Its descriptors belong to the caller. */
  takeAncillaryData(): AncillaryData {
    const ancillary = this.#ancillary;
    this.#ancillary = NO_ANCILLARY_DATA;
    return ancillary;
  }

  /** Closes descriptors that came with the message that was received last. */
  dropAncillaryData(): void {
    if (this.#ancillary !== NO_ANCILLARY_DATA) closeDescriptors(this.takeAncillaryData());
  }

  /** Closes the descriptors of held messages. */
  close(): void {
    this.#held.clear();
  }

  failure(errno: number): SeqpacketError {
    return systemError('recvmsg', errno, this.#connection.name);
  }

  /** One recvmsg; the result is greater than the parts if the message is longer and has overflowed. */
  #receive(parts: Parts, flags: number, controlRoom: number): number | typeof WOULD_BLOCK {
    const bytes = this.#recvmsg(parts, flags, controlRoom);
    if (bytes === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (bytes < 0) throw this.failure(bytes);

    const ancillary = takeAncillaryData();
    if (bytes === 0 && (this.emptyMessages === 'eof' || !ancillary.present) && !this.#isUnmarkedMessage()) {
      closeDescriptors(ancillary);
      throw this.#end(flags, ancillary.present);
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
   * Whether what looked like the end is an empty message to be delivered. That can only be where another owner
   * of the socket has unset the marks; and if the end does come next, it is taken for the end.
   */
  #isUnmarkedMessage(): boolean {
    return this.emptyMessages === 'deliver' && !this.#connection.areMarksEnabled && !this.#isAtEnd();
  }

  /** recvmsg(2), once more after a reset: that is reported at the end of what there is to receive. */
  #recvmsg(parts: Parts, flags: number, controlRoom: number): number {
    const { fd } = this.#connection;
    const systemFlags = flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const bytes = os.recvmsg(fd, parts, systemFlags, controlRoom);
    if (bytes !== -ECONNRESET) return bytes;
    this.#connection.recordReset();
    return os.recvmsg(fd, parts, systemFlags, controlRoom);
  }

  /** One recvmmsg: how many messages, or the negative errno. */
  #receiveBatch(max: number): number | typeof WOULD_BLOCK {
    const { fd } = this.#connection;
    // A batch is filled up with the end of file, which would look like as many empty messages.
    if (!this.#connection.hasEnabledMarks) this.#connection.enableMarks();
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    // What comes behind an empty message that counts as the end is held, and may be received with descriptors.
    const mayHold = this.emptyMessages === 'eof';
    let count = receiveBatch(fd, max, flags, mayHold);
    if (count === -ECONNRESET) {
      this.#connection.recordReset();
      count = receiveBatch(fd, max, flags, mayHold);
    }
    return count === -EAGAIN ? WOULD_BLOCK : count;
  }

  /** Holds the messages of a batch; throws if there are none, but the end. */
  #holdBatch(length: number): void {
    let count = length;
    // Without a mark it is the end, unless another owner of the socket has unset the marks.
    if (looksLikeEnd(length - 1) && this.#isAtEnd()) while (count > 0 && looksLikeEnd(count - 1)) count--;
    if (count === 0) throw this.#end(0, false);
    for (const { data, ancillary } of takeWithAncillaryData(count)) this.#held.add(data, ancillary);
  }

  /** Whether the end of file is what comes next, and not an empty message. */
  #isAtEnd(): boolean {
    this.#connection.enableMarks();
    const bytes = this.#recvmsg(NO_BUFFER, MSG_PEEK, ROOM_FOR_MARK);
    if (bytes > 0) os.takeOverflow(NO_BUFFER);
    if (bytes < 0) return false;
    const ancillary = takeAncillaryData();
    closeDescriptors(ancillary);
    return bytes === 0 && !ancillary.present;
  }

  /** Keeps a message that is longer than its buffer for the next receive. */
  #tooLong(bytes: number, parts: Parts, room: number, flags: number): SeqpacketError {
    if ((flags & MSG_PEEK) !== 0) {
      os.takeOverflow(NO_BUFFER);
      this.dropAncillaryData();
    } else {
      this.#held.add(assemble(bytes, parts, room), this.takeAncillaryData());
    }
    return this.#messageSizeError(bytes);
  }

  #receiveHeld(held: HeldMessage, parts: Parts, flags: number): number {
    const { data } = held;
    this.#refuse(held, flags);
    if (data.length > byteLength(parts) && (flags & MSG_TRUNC) === 0) {
      throw this.#messageSizeError(data.length);
    }
    copyToParts(data, parts);
    if ((flags & MSG_PEEK) !== 0) this.#ancillary = this.#held.peek();
    else this.#takeHeld(held);
    return data.length;
  }

  #takeHeld({ data }: HeldMessage): void {
    this.#ancillary = this.#held.take();
    this.#count(data.length);
  }

  #isRefused({ data, cut }: HeldMessage): boolean {
    return cut || (data.length === 0 && this.emptyMessages === 'eof');
  }

  /**
   * Throws for a message that was cut, and for an empty one that counts as the end; and takes it, unless it is
   * peeked at.
   */
  #refuse(held: HeldMessage, flags: number): void {
    if (!this.#isRefused(held)) return;
    if ((flags & MSG_PEEK) === 0) this.#held.drop();
    throw held.cut ? this.#messageSizeError(held.data.length) : endOfFile(this.#connection.name);
  }

  /** The end, or an empty message that counts as the end; but the reset, once, at the very end. */
  #end(flags: number, isMessage: boolean): SeqpacketError {
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
