/** Attempts to receive: what each kind of receive delivers. */
import { type Parts, withLength } from '../arguments';
import { type FileDescriptor, fileDescriptorOf } from '../descriptors/file-descriptor';
import { MSG_DONTWAIT } from '../system/linux';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import { type Attempt, WOULD_BLOCK } from '../waiting/operation-queue';
import { type AncillaryData, ROOM_FOR_ALL, ROOM_FOR_CREDENTIALS, ROOM_FOR_MARK } from './ancillary-data';
import type { Receiver } from './receiver';

/** What all kinds of receiving have in common. */
abstract class Receiving<Result> implements Attempt<Result> {
  constructor(
    protected readonly receiver: Receiver,
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

/** Receives into the caller's buffers. */
abstract class ReceivingIntoParts<Result> extends Receiving<Result> {
  constructor(
    receiver: Receiver,
    private readonly parts: Parts,
    flags: number,
  ) {
    super(receiver, flags);
  }

  /** The length that one buffer had when this began to wait. */
  private length = -1;

  beginWaiting(): void {
    if (!Array.isArray(this.parts)) this.length = (this.parts as Uint8Array).length;
  }

  /** The parts, with the lengths that they had when this was called, even if their memory has grown since. */
  protected currentParts(): Parts {
    const { parts, length } = this;
    if (length === -1 || (parts as Uint8Array).length === length) return parts;
    return withLength(parts as Uint8Array, length);
  }
}

/** Receives the data of one message; its descriptors are closed. */
export class Receive extends ReceivingIntoParts<number> {
  try(): number | typeof WOULD_BLOCK {
    const bytes = this.receiver.receive(this.currentParts(), this.flags);
    if (bytes !== WOULD_BLOCK) this.receiver.dropAncillaryData();
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

export class ReceiveWithFds extends ReceivingIntoParts<ReceivedWithFds> {
  constructor(
    receiver: Receiver,
    parts: Parts,
    private readonly maxFds: number,
    flags: number,
  ) {
    super(receiver, parts, flags);
  }

  try(): ReceivedWithFds | typeof WOULD_BLOCK {
    const bytesRead = this.receiver.receive(this.currentParts(), this.flags);
    if (bytesRead === WOULD_BLOCK) return WOULD_BLOCK;
    return { bytesRead, ...deliverFds(this.receiver.takeAncillaryData(), this.maxFds) };
  }
}

/** A whole message, however long, with what came with it. */
export interface Message {
  /**
   * The bytes, in memory that the library does not write to again. Short messages share an `ArrayBuffer`, which cannot
   * be transferred, like those of Node's own pool: make a copy for a transfer with `postMessage`, or for a byte stream.
   */
  data: Buffer;
  /** The caller's to close. */
  fds: FileDescriptor[];
  /** Whether there were more descriptors than asked for or than this process could open. */
  controlTruncated: boolean;
  /** The credentials of the sender, verified by the kernel, if the socket has `passCredentials`. */
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
    const ancillary = this.receiver.takeAncillaryData();
    const message: Message = { data, ...deliverFds(ancillary, this.maxFds) };
    if (ancillary.credentials !== undefined) message.credentials = ancillary.credentials;
    return message;
  }
}

/** Receives the data of one message, however long; its descriptors are closed. */
export class ReceiveData extends Receiving<Buffer> {
  try(): Buffer | typeof WOULD_BLOCK {
    const data = this.receiver.receiveWhole(ROOM_FOR_MARK);
    if (data !== WOULD_BLOCK) this.receiver.dropAncillaryData();
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

/** Delivers as many descriptors as were asked for, and closes the rest. */
function deliverFds({ fds, truncated }: AncillaryData, maxFds: number) {
  for (let index = maxFds; index < fds.length; index++) os.close(fds[index] as number);
  return {
    fds: fds.slice(0, maxFds).map(fileDescriptorOf),
    controlTruncated: truncated || fds.length > maxFds,
  };
}
