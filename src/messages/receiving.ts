/** Receiving: from one recvmsg(2) or recvmmsg(2) to what the caller gets. */
import {
  type AncillaryData,
  type Credentials,
  decodeAncillaryData,
  NO_ANCILLARY_DATA,
  ROOM_FOR_ALL,
  ROOM_FOR_CREDENTIALS,
  ROOM_FOR_MARK,
  receiveAncillaryData,
} from './ancillary-data';
import { byteLength, type Parts } from '../arguments';
import { hadDescriptors, looksLikeEnd, MAX_BATCH, receiveBatch, takeAll, takePlain } from './batch';
import type { Connection } from './connection';
import { endOfFile, type SeqpacketError, systemError } from '../errors';
import { type FileDescriptor, received, takeOver } from '../descriptors/file-descriptor';
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
import { freeMemory, takeMemory } from './message-memory';
import { type Attempt, WOULD_BLOCK } from '../waiting/operation-queue';
import { os } from '../system/os';
import { spend } from '../waiting/turn';

/** What an empty message is: the end of file, or a message. */
export type EmptyMessages = 'eof' | 'deliver';

export const EMPTY_MESSAGES_MODES: readonly EmptyMessages[] = ['eof', 'deliver'];

/** A message that has left the kernel's queue but that no receive has got yet. */
interface HeldMessage {
  readonly data: Buffer;
  readonly fds: readonly FileDescriptor[];
  readonly truncated: boolean;
  readonly credentials: Credentials | undefined;
  readonly cut: boolean;
}

function heldMessage(data: Buffer, { fds, truncated, credentials, cut }: AncillaryData): HeldMessage {
  return { data, fds: fds.map(received), truncated, credentials, cut };
}

/** What all share that hold nothing; never changed. */
const NONE_HELD: HeldMessage[] = [];

const NOWHERE = new Uint8Array(0);

/** How much room a message of unknown length is offered at least. */
const LEAST_ROOM = 4096;

/** Where messages are longer, in bytes, a batch is of one. */
const LONGEST_OF_BATCH = 32_768;

/** The receiving side of one socket. */
export class Receiver {
  /** What came with the message that was received last, for the caller to take or close. */
  ancillary: AncillaryData = NO_ANCILLARY_DATA;

  readonly #connection: Connection;
  #held: HeldMessage[] = NONE_HELD;
  #emptyMessages: EmptyMessages = 'eof';
  /** How long the next message may be, by those before: what is longer costs a copy. */
  #expected = LEAST_ROOM;
  /** How many messages are received one by one before the next batch. */
  #oneByOne = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
    receiveAncillaryData();
  }

  /** The bytes that are neither in the kernel's queue nor with the application. */
  get heldBytes(): number {
    return this.#held.reduce((bytes, { data }) => bytes + data.length, 0);
  }

  get holdsMessage(): boolean {
    return this.#held.length > 0;
  }

  /** Receives one message into the parts; throws the error; or says that there is none yet. */
  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK {
    const held = this.#held[0];
    if (held !== undefined) return this.#receiveHeld(held, parts, flags);
    const bytes = this.#receive(parts, flags, ROOM_FOR_ALL);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    if (bytes > byteLength(parts)) {
      if ((flags & MSG_TRUNC) === 0) throw this.#tooLong(bytes, parts, flags);
      os.takeOverflow(NOWHERE);
    }
    if ((flags & MSG_PEEK) === 0) this.#count(bytes);
    return bytes;
  }

  /**
   * Receives one message, however long, into memory that nobody else writes to.
   *
   * @param controlRoom for what comes beside it: see ancillary-data.ts
   */
  receiveWhole(controlRoom: number): Buffer | typeof WOULD_BLOCK {
    const held = this.#held[0];
    if (held !== undefined) {
      this.#refuse(held, 0);
      this.#takeHeld();
      return held.data;
    }
    const room = freeMemory(this.#expected);
    const bytes = this.#receive(room, 0, controlRoom);
    if (bytes === WOULD_BLOCK) return WOULD_BLOCK;
    this.#count(bytes);
    const data = bytes > room.length ? assemble(bytes, room) : takeMemory(room, bytes);
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
    const messages = takePlain(count);
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
    this.closeFds();
    const { fds, truncated } = this.ancillary;
    this.#noteDescriptors(truncated || fds.length > 0);
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
    if (messages.length === 0) this.#refuse(this.#held[0] as HeldMessage, 0);
    for (const _ of messages) {
      this.#takeHeld();
      this.closeFds();
    }
    return messages;
  }

  /** What an empty message is reported as. */
  get emptyMessages(): EmptyMessages {
    return this.#emptyMessages;
  }

  set emptyMessages(mode: EmptyMessages) {
    if (mode === 'deliver') this.#connection.markMessages();
    this.#emptyMessages = mode;
  }

  /** Closes the descriptors of the message that was received last, for which nobody has asked. */
  closeFds(): void {
    if (this.ancillary !== NO_ANCILLARY_DATA) closeAll(this.ancillary.fds);
  }

  /** Closes what was received for nobody. */
  close(): void {
    for (const { fds } of this.#held) for (const fd of fds) fd.close();
    this.#held = NONE_HELD;
  }

  failure(errno: number): SeqpacketError {
    return systemError('recvmsg', errno, this.#connection.name);
  }

  /** One recvmsg; the result is greater than the parts if the message is longer and has overflowed. */
  #receive(parts: Parts, flags: number, controlRoom: number): number | typeof WOULD_BLOCK {
    const bytes = this.#recvmsg(parts, flags, controlRoom);
    if (bytes === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (bytes < 0) throw this.failure(bytes);

    const ancillary = decodeAncillaryData();
    if (bytes === 0 && (this.emptyMessages === 'eof' || !ancillary.present) && !this.#isUnmarkedMessage()) {
      closeAll(ancillary.fds);
      throw this.#end(flags, ancillary.present);
    }
    if (ancillary.cut && (flags & MSG_TRUNC) === 0) {
      os.takeOverflow(NOWHERE);
      closeAll(ancillary.fds);
      throw this.#messageSizeError(bytes);
    }
    this.ancillary = ancillary;
    return bytes;
  }

  /**
   * Whether what looked like the end is an empty message to be delivered. That can only be where another owner
   * of the socket has unset the marks; and if the end does come next, it is taken for the end.
   */
  #isUnmarkedMessage(): boolean {
    return this.emptyMessages === 'deliver' && !this.#connection.areMessagesMarked && !this.#isAtEnd();
  }

  /** recvmsg(2), once more after a reset: that is reported at the end of what there is to receive. */
  #recvmsg(parts: Parts, flags: number, controlRoom: number): number {
    const { fd } = this.#connection;
    const systemFlags = flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const bytes = os.recvmsg(fd, parts, systemFlags, controlRoom);
    if (bytes !== -ECONNRESET) return bytes;
    this.#connection.noteReset();
    return os.recvmsg(fd, parts, systemFlags, controlRoom);
  }

  /** One recvmmsg: how many messages, or the negative errno. */
  #receiveBatch(max: number): number | typeof WOULD_BLOCK {
    const { fd } = this.#connection;
    // A batch is filled up with the end of file, which would look like as many empty messages.
    if (!this.#connection.marksMessages) this.#connection.markMessages();
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    // What comes behind an empty message that counts as the end is held, and may be received with descriptors.
    const mayHold = this.emptyMessages === 'eof';
    let count = receiveBatch(fd, max, flags, mayHold);
    if (count === -ECONNRESET) {
      this.#connection.noteReset();
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
    this.#held = takeAll(count).map(({ data, ancillary }) => heldMessage(data, ancillary));
  }

  /** Whether the end of file is what comes next, and not an empty message. */
  #isAtEnd(): boolean {
    this.#connection.markMessages();
    const bytes = this.#recvmsg(NOWHERE, MSG_PEEK, ROOM_FOR_MARK);
    if (bytes > 0) os.takeOverflow(NOWHERE);
    if (bytes < 0) return false;
    const { present, fds } = decodeAncillaryData();
    closeAll(fds);
    return bytes === 0 && !present;
  }

  /** Keeps a message that is longer than its buffer for the next receive. */
  #tooLong(bytes: number, parts: Parts, flags: number): SeqpacketError {
    if ((flags & MSG_PEEK) !== 0) {
      os.takeOverflow(NOWHERE);
      this.closeFds();
    } else {
      this.#held = [heldMessage(assemble(bytes, parts), this.ancillary)];
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
    if ((flags & MSG_PEEK) !== 0) this.ancillary = duplicates(held);
    else this.#takeHeld();
    return data.length;
  }

  #takeHeld(): void {
    const { data, fds, truncated, credentials } = this.#held.shift() as HeldMessage;
    this.ancillary = { fds: fds.map(takeOver), truncated, credentials, present: true, cut: false };
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
    if ((flags & MSG_PEEK) === 0) {
      this.#held.shift();
      for (const fd of held.fds) fd.close();
    }
    throw held.cut ? this.#messageSizeError(held.data.length) : endOfFile(this.#connection.name);
  }

  /** The end, or an empty message that counts as the end; but the reset, once, at the very end. */
  #end(flags: number, isMessage: boolean): SeqpacketError {
    if (!this.#connection.wasReset || isMessage) return endOfFile(this.#connection.name);
    if ((flags & MSG_PEEK) === 0) this.#connection.forgetReset();
    return this.failure(-ECONNRESET);
  }

  #count(bytes: number): void {
    this.#connection.messagesReceived++;
    this.#connection.bytesReceived += bytes;
    spend(bytes, 0);
  }

  #messageSizeError(messageSize: number): SeqpacketError {
    return Object.assign(this.failure(-EMSGSIZE), { messageSize });
  }
}

/** What a peek gets: as many duplicates as this process can open, as the kernel has it. */
function duplicates({ fds: originals, truncated, credentials }: HeldMessage): AncillaryData {
  const fds: number[] = [];
  for (const { fd } of originals) {
    const duplicate = os.dup(fd);
    if (duplicate < 0) return { fds, truncated: true, credentials, present: true, cut: false };
    fds.push(duplicate);
  }
  return { fds, truncated, credentials, present: true, cut: false };
}

/** What all kinds of receiving have in common. */
abstract class Receiving<Result> implements Attempt<Result> {
  constructor(
    protected readonly receiver: Receiver,
    protected readonly flags = 0,
  ) {}

  get isUrgent(): boolean {
    return this.receiver.holdsMessage;
  }

  get doesNotWait(): boolean {
    return (this.flags & MSG_DONTWAIT) !== 0;
  }

  abstract try(): Result | typeof WOULD_BLOCK;

  failure(errno: number): Error {
    return this.receiver.failure(errno);
  }
}

/** Receives the data of one message; its descriptors are closed. */
export class Receive extends Receiving<number> {
  constructor(
    receiver: Receiver,
    private readonly parts: Parts,
    flags: number,
  ) {
    super(receiver, flags);
  }

  try(): number | typeof WOULD_BLOCK {
    const bytes = this.receiver.receive(this.parts, this.flags);
    if (bytes !== WOULD_BLOCK) this.receiver.closeFds();
    return bytes;
  }
}

/** A message received together with its descriptors. */
export interface ReceivedWithFds {
  bytesRead: number;
  /** The caller's to close. */
  fds: FileDescriptor[];
  /** Whether there were more descriptors than asked for or than this process could open. */
  controlTruncated: boolean;
}

export class ReceiveWithFds extends Receiving<ReceivedWithFds> {
  constructor(
    receiver: Receiver,
    private readonly parts: Parts,
    private readonly maxFds: number,
    flags: number,
  ) {
    super(receiver, flags);
  }

  try(): ReceivedWithFds | typeof WOULD_BLOCK {
    const bytesRead = this.receiver.receive(this.parts, this.flags);
    if (bytesRead === WOULD_BLOCK) return WOULD_BLOCK;
    return { bytesRead, ...deliverFds(this.receiver.ancillary, this.maxFds) };
  }
}

/** A whole message, however long, with what came with it. */
export interface Message {
  /**
   * The bytes, which nobody else writes to. Short messages share an `ArrayBuffer`, which cannot be transferred, as
   * those of Node's own pool: `postMessage` and byte streams that are to take it over need a copy.
   */
  data: Buffer;
  /** The caller's to close. */
  fds: FileDescriptor[];
  /** Whether there were more descriptors than asked for or than this process could open. */
  controlTruncated: boolean;
  /** Who sent it, by the kernel, if the socket has `passCredentials`. */
  credentials?: Credentials;
}

export class ReceiveMessage extends Receiving<Message> {
  constructor(
    receiver: Receiver,
    private readonly maxFds: number,
  ) {
    super(receiver);
  }

  try(): Message | typeof WOULD_BLOCK {
    const data = this.receiver.receiveWhole(this.maxFds === 0 ? ROOM_FOR_CREDENTIALS : ROOM_FOR_ALL);
    if (data === WOULD_BLOCK) return WOULD_BLOCK;
    const { ancillary } = this.receiver;
    const message: Message = { data, ...deliverFds(ancillary, this.maxFds) };
    if (ancillary.credentials !== undefined) message.credentials = ancillary.credentials;
    return message;
  }
}

/** Receives the data of one message, however long; its descriptors are closed. */
export class ReceiveData extends Receiving<Buffer> {
  try(): Buffer | typeof WOULD_BLOCK {
    const data = this.receiver.receiveWhole(ROOM_FOR_MARK);
    if (data !== WOULD_BLOCK) this.receiver.closeFds();
    return data;
  }
}

export class ReceiveBatch extends Receiving<Buffer[]> {
  constructor(
    receiver: Receiver,
    private readonly max: number,
  ) {
    super(receiver);
  }

  try(): Buffer[] | typeof WOULD_BLOCK {
    return this.receiver.receiveBatch(this.max);
  }
}

const NO_FDS = Object.freeze<number[]>([]);

/** Hands over as many descriptors as were asked for, and closes the rest. */
function deliverFds({ fds, truncated }: AncillaryData, maxFds: number) {
  if (fds.length === 0) return { fds: [], controlTruncated: truncated };
  closeAll(fds.length > maxFds ? fds.slice(maxFds) : NO_FDS);
  return {
    fds: fds.slice(0, maxFds).map(received),
    controlTruncated: truncated || fds.length > maxFds,
  };
}

/** Closes descriptors that the caller did not ask for. Their own errors concern nobody here. */
function closeAll(fds: readonly number[]): void {
  for (const fd of fds) os.close(fd);
}

/** A message that was received into parts and beyond. */
function assemble(bytes: number, parts: Parts): Buffer {
  const data = Buffer.allocUnsafeSlow(bytes);
  os.takeOverflow(data.subarray(copyFromParts(parts, data)));
  return data;
}

/** Parts without room are passed over: one may have been detached while the receive waited. */
function copyFromParts(parts: Parts, target: Buffer): number {
  let at = 0;
  for (const part of arrayOf(parts)) {
    if (part.byteLength > 0) target.set(part, at);
    at += part.byteLength;
  }
  return at;
}

function copyToParts(data: Buffer, parts: Parts): void {
  let at = 0;
  for (const part of arrayOf(parts)) {
    if (part.byteLength > 0) part.set(data.subarray(at, at + part.byteLength));
    at += part.byteLength;
  }
}

function arrayOf(parts: Parts): readonly Uint8Array[] {
  return Array.isArray(parts) ? parts : [parts as Uint8Array];
}
