/**
 * Receiving, for each kind of result: a function that tries once, an attempt that can wait, and, for the frequent
 * operations without options, one that makes an attempt only if it has to wait.
 */
import { type Parts, withLength } from '../arguments';
import { type FileDescriptor, fileDescriptorOf } from '../descriptors/file-descriptor';
import { MSG_DONTWAIT } from '../system/linux';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import {
  type Attempt,
  type OperationQueue,
  type PlainOperation,
  WOULD_BLOCK,
} from '../waiting/operation-queue';
import { type AncillaryData, ROOM_FOR_ALL, ROOM_FOR_CREDENTIALS, ROOM_FOR_MARK } from './ancillary-data';
import type { Slots } from './message-batch';
import type { MessageSource } from './message-source';

/** The part of a session that receives. */
export interface ReceivingSide {
  readonly receives: OperationQueue;
  readonly receiver: MessageSource;
}

/** The base of all attempts to receive. */
abstract class ReceiveAttempt<Result> implements Attempt<Result> {
  constructor(
    protected readonly receiver: MessageSource,
    protected readonly flags = 0,
  ) {}

  get needsFirstTry(): boolean {
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

/** The base of attempts that receive into the caller's buffers. */
abstract class ReceiveIntoParts<Result> extends ReceiveAttempt<Result> {
  constructor(
    receiver: MessageSource,
    private readonly parts: Parts,
    flags: number,
  ) {
    super(receiver, flags);
  }

  /** The length of a single buffer when the attempt began to wait; -1 before. */
  private length = -1;

  beginWaiting(): void {
    if (!Array.isArray(this.parts)) this.length = (this.parts as Uint8Array).length;
  }

  /** The parts with their lengths at the time of the call, even if their memory has grown since then. */
  protected currentParts(): Parts {
    const { parts, length } = this;
    if (length === -1 || (parts as Uint8Array).length === length) return parts;
    return withLength(parts as Uint8Array, length);
  }
}

/** Receives the data of one message. Its descriptors are closed. */
export class Receive extends ReceiveIntoParts<number> {
  try(): number | typeof WOULD_BLOCK {
    return tryReceive(this.receiver, this.currentParts(), this.flags);
  }
}

export function tryReceive(
  receiver: MessageSource,
  parts: Parts,
  flags: number,
): number | typeof WOULD_BLOCK {
  const bytes = receiver.receive(parts, flags);
  if (bytes !== WOULD_BLOCK) receiver.discardAncillaryData();
  return bytes;
}

const plainReceive: PlainOperation<MessageSource, Parts, number> = {
  try: (receiver, parts) => tryReceive(receiver, parts, 0),
  attempt: (receiver, parts) => new Receive(receiver, parts, 0),
};

export function receive({ receives, receiver }: ReceivingSide, parts: Parts): Promise<number> {
  return receives.runPlain(plainReceive, receiver, parts);
}

/** A message received together with its descriptors. */
export interface ReceivedWithFds {
  /** The length of the message in bytes. */
  bytesRead: number;
  /** The received descriptors. The caller must close them. */
  fds: FileDescriptor[];
  /**
   * Whether descriptors were closed: there were more than `maxFds`, or more than this process could open (MSG_CTRUNC).
   */
  controlTruncated: boolean;
}

export class ReceiveWithFds extends ReceiveIntoParts<ReceivedWithFds> {
  constructor(
    receiver: MessageSource,
    parts: Parts,
    private readonly maxFds: number,
    flags: number,
  ) {
    super(receiver, parts, flags);
  }

  try(): ReceivedWithFds | typeof WOULD_BLOCK {
    return tryReceiveWithFds(this.receiver, this.currentParts(), this.maxFds, this.flags);
  }
}

function tryReceiveWithFds(
  receiver: MessageSource,
  parts: Parts,
  maxFds: number,
  flags: number,
): ReceivedWithFds | typeof WOULD_BLOCK {
  const bytesRead = receiver.receive(parts, flags);
  if (bytesRead === WOULD_BLOCK) return WOULD_BLOCK;
  const ancillary = receiver.takeAncillaryData();
  const fds = deliverFds(ancillary, maxFds);
  return { bytesRead, fds, controlTruncated: isTruncated(ancillary, maxFds) };
}

/** The room for a message with descriptors. */
interface RoomWithFds {
  readonly parts: Parts;
  readonly maxFds: number;
}

const plainReceiveWithFds: PlainOperation<MessageSource, RoomWithFds, ReceivedWithFds> = {
  try: (receiver, { parts, maxFds }) => tryReceiveWithFds(receiver, parts, maxFds, 0),
  attempt: (receiver, { parts, maxFds }) => new ReceiveWithFds(receiver, parts, maxFds, 0),
};

export function receiveWithFds(
  { receives, receiver }: ReceivingSide,
  parts: Parts,
  maxFds: number,
): Promise<ReceivedWithFds> {
  return receives.runPlain(plainReceiveWithFds, receiver, { parts, maxFds });
}

/** A whole message of any length, with its descriptors and credentials. */
export interface Message {
  /**
   * The bytes of the message. The library does not write to this memory again. Short messages share an `ArrayBuffer`,
   * which cannot be transferred, as with the pool of Node.js. For a transfer with `postMessage`, or for a byte stream,
   * make a copy.
   */
  data: Buffer;
  /** The received descriptors. The caller must close them. */
  fds: FileDescriptor[];
  /**
   * Whether descriptors were closed: there were more than `maxFds`, or more than this process could open (MSG_CTRUNC).
   */
  controlTruncated: boolean;
  /** The credentials of the sender, verified by the kernel; only if the option `passCredentials` is set. */
  credentials?: Credentials;
}

export class ReceiveMessage extends ReceiveAttempt<Message> {
  constructor(
    receiver: MessageSource,
    private readonly maxFds: number,
  ) {
    super(receiver);
  }

  try(): Message | typeof WOULD_BLOCK {
    return tryReceiveMessage(this.receiver, this.maxFds);
  }
}

export function tryReceiveMessage(receiver: MessageSource, maxFds: number): Message | typeof WOULD_BLOCK {
  const data = receiver.receiveWhole(maxFds === 0 ? ROOM_FOR_CREDENTIALS : ROOM_FOR_ALL);
  if (data === WOULD_BLOCK) return WOULD_BLOCK;
  const ancillary = receiver.takeAncillaryData();
  const message: Message = {
    data,
    fds: deliverFds(ancillary, maxFds),
    controlTruncated: isTruncated(ancillary, maxFds),
  };
  if (ancillary.credentials !== undefined) message.credentials = ancillary.credentials;
  return message;
}

const plainReceiveMessage: PlainOperation<MessageSource, number, Message> = {
  try: tryReceiveMessage,
  attempt: (receiver, maxFds) => new ReceiveMessage(receiver, maxFds),
};

export function receiveMessage({ receives, receiver }: ReceivingSide): Promise<Message> {
  return receives.runPlain(plainReceiveMessage, receiver, 0);
}

/** Receives the data of one message of any length. Its descriptors are closed. */
export class ReceiveData extends ReceiveAttempt<Buffer> {
  try(): Buffer | typeof WOULD_BLOCK {
    return tryReceiveData(this.receiver);
  }
}

export function tryReceiveData(receiver: MessageSource): Buffer | typeof WOULD_BLOCK {
  const data = receiver.receiveWhole(ROOM_FOR_MARK);
  if (data !== WOULD_BLOCK) receiver.discardAncillaryData();
  return data;
}

export class ReceiveMany extends ReceiveAttempt<Buffer[]> {
  constructor(
    receiver: MessageSource,
    private readonly max: number,
  ) {
    super(receiver);
  }

  try(): Buffer[] | typeof WOULD_BLOCK {
    return this.receiver.receiveBatch(this.max);
  }
}

/** Receives messages into a batch. */
export class ReceiveIntoBatch extends ReceiveAttempt<number> {
  constructor(
    receiver: MessageSource,
    private readonly slots: Slots,
  ) {
    super(receiver);
  }

  try(): number | typeof WOULD_BLOCK {
    return this.receiver.receiveIntoSlots(this.slots);
  }

  beginWaiting(): void {
    this.slots.isInUse = true;
  }

  endWaiting(): void {
    this.slots.isInUse = false;
  }
}

/** Delivers at most `maxFds` descriptors, and closes the rest. */
function deliverFds({ fds }: AncillaryData, maxFds: number): FileDescriptor[] {
  const delivered: FileDescriptor[] = [];
  for (let index = 0; index < fds.length; index++) {
    if (index < maxFds) delivered.push(fileDescriptorOf(fds[index] as number));
    else os.close(fds[index] as number);
  }
  return delivered;
}

function isTruncated({ fds, truncated }: AncillaryData, maxFds: number): boolean {
  return truncated || fds.length > maxFds;
}
