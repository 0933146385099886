/** Receiving: from one recvmsg(2) to what the caller gets. */
import {
  type AncillaryData,
  decodeAncillaryData,
  incomingControl,
  NO_ANCILLARY_DATA,
} from './ancillary-data';
import { byteLength, type Parts } from './arguments';
import { type Connection, noteReset } from './connection';
import { endOfFile, type SeqpacketError, systemError } from './errors';
import { type FileDescriptor, received, takeOver } from './file-descriptor';
import { EAGAIN, ECONNRESET, EMSGSIZE, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC } from './linux';
import { type Attempt, WOULD_BLOCK } from './operations';
import { os } from './os';

export const EMPTY_MESSAGES_MODES = ['eof', 'deliver'] as const;

export type EmptyMessages = (typeof EMPTY_MESSAGES_MODES)[number];

/** A message that has left the kernel's queue but that no receive has got yet. */
interface HeldMessage {
  readonly data: Buffer;
  readonly fds: readonly FileDescriptor[];
  readonly truncated: boolean;
}

const NOWHERE = new Uint8Array(0);

/** The receiving side of one socket. */
export class Receiver {
  /** What an empty message is reported as; exact only with SO_TIMESTAMP on the socket. */
  emptyMessages: EmptyMessages = 'eof';
  /** What came with the message that {@link receive} last returned, for the caller to take or close. */
  ancillary: AncillaryData = NO_ANCILLARY_DATA;

  readonly #connection: Connection;
  #held: HeldMessage | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The bytes that are neither in the kernel's queue nor with the application. */
  get heldBytes(): number {
    return this.#held?.data.length ?? 0;
  }

  get holdsMessage(): boolean {
    return this.#held !== undefined;
  }

  /** Receives one message into the parts; throws the error; or says that there is none yet. */
  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK {
    if (this.#held !== undefined) return this.#receiveHeld(this.#held, parts, flags);

    const { fd } = this.#connection;
    const systemFlags = flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    let bytes = os.recvmsg(fd, parts, incomingControl, systemFlags);
    if (bytes === -ECONNRESET) {
      noteReset(this.#connection);
      bytes = os.recvmsg(fd, parts, incomingControl, systemFlags);
    }
    if (bytes === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (bytes < 0) throw this.failure(bytes);

    const ancillary = decodeAncillaryData();
    if (bytes === 0 && (this.emptyMessages === 'eof' || !ancillary.present)) {
      closeAll(ancillary.fds);
      throw this.#end(flags, ancillary.present);
    }
    if (bytes > byteLength(parts)) {
      if ((flags & MSG_TRUNC) === 0) throw this.#tooLong(bytes, parts, flags, ancillary);
      os.takeSpilled(NOWHERE);
    }
    this.ancillary = ancillary;
    return bytes;
  }

  /** Closes what was received for nobody. */
  close(): void {
    for (const fd of this.#held?.fds ?? []) fd.close();
    this.#held = undefined;
  }

  /** Keeps a message that is longer than its buffer for the next receive. */
  #tooLong(bytes: number, parts: Parts, flags: number, ancillary: AncillaryData): SeqpacketError {
    if ((flags & MSG_PEEK) !== 0) {
      os.takeSpilled(NOWHERE);
      closeAll(ancillary.fds);
    } else {
      const data = Buffer.allocUnsafeSlow(bytes);
      os.takeSpilled(data.subarray(copyFromParts(parts, data)));
      this.#held = { data, fds: ancillary.fds.map(received), truncated: ancillary.truncated };
    }
    return this.#messageSizeError(bytes);
  }

  #receiveHeld(held: HeldMessage, parts: Parts, flags: number): number {
    const { data } = held;
    if (data.length > byteLength(parts) && (flags & MSG_TRUNC) === 0) {
      throw this.#messageSizeError(data.length);
    }
    copyToParts(data, parts);
    if ((flags & MSG_PEEK) !== 0) {
      this.ancillary = duplicates(held);
    } else {
      this.#held = undefined;
      this.ancillary = { fds: held.fds.map(takeOver), truncated: held.truncated, present: true };
    }
    return data.length;
  }

  /** The end, or an empty message that counts as the end; but the reset, once, at the very end. */
  #end(flags: number, isMessage: boolean): SeqpacketError {
    if (!this.#connection.wasReset || isMessage) return endOfFile(this.#connection.name());
    if ((flags & MSG_PEEK) === 0) this.#connection.wasReset = false;
    return this.failure(-ECONNRESET);
  }

  failure(errno: number): SeqpacketError {
    return systemError('recvmsg', errno, this.#connection.name());
  }

  #messageSizeError(messageSize: number): SeqpacketError {
    return Object.assign(this.failure(-EMSGSIZE), { messageSize });
  }
}

/** What a peek gets: as many duplicates as this process can open, as the kernel has it. */
function duplicates(held: HeldMessage): AncillaryData {
  const fds: number[] = [];
  for (const { fd } of held.fds) {
    const duplicate = os.dup(fd);
    if (duplicate < 0) return { fds, truncated: true, present: true };
    fds.push(duplicate);
  }
  return { fds, truncated: held.truncated, present: true };
}

/** Receives the data of one message; its descriptors, which nobody asked for, are closed. */
export class Receive implements Attempt<number> {
  constructor(
    private readonly receiver: Receiver,
    private readonly parts: Parts,
    private readonly flags: number,
  ) {}

  try(): number | typeof WOULD_BLOCK {
    const bytes = this.receiver.receive(this.parts, this.flags);
    if (bytes !== WOULD_BLOCK) closeAll(this.receiver.ancillary.fds);
    return bytes;
  }

  failure(errno: number): Error {
    return this.receiver.failure(errno);
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

export class ReceiveWithFds implements Attempt<ReceivedWithFds> {
  constructor(
    private readonly receiver: Receiver,
    private readonly parts: Parts,
    private readonly maxFds: number,
    private readonly flags: number,
  ) {}

  try(): ReceivedWithFds | typeof WOULD_BLOCK {
    const bytesRead = this.receiver.receive(this.parts, this.flags);
    if (bytesRead === WOULD_BLOCK) return WOULD_BLOCK;
    const { fds, truncated } = this.receiver.ancillary;
    closeAll(fds.slice(this.maxFds));
    return {
      bytesRead,
      fds: fds.slice(0, this.maxFds).map(received),
      controlTruncated: truncated || fds.length > this.maxFds,
    };
  }

  failure(errno: number): Error {
    return this.receiver.failure(errno);
  }
}

/** Closes descriptors that the caller did not ask for. Their own errors concern nobody here. */
function closeAll(fds: readonly number[]): void {
  for (const fd of fds) os.close(fd);
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
