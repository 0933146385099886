/** Receiving: from one recvmsg(2) to what the caller gets. */
import {
  type AncillaryData,
  decodeAncillaryData,
  incomingControl,
  NO_ANCILLARY_DATA,
} from './ancillary-data';
import { byteLength, type Parts } from './arguments';
import { endOfFile, type SeqpacketError, systemError } from './errors';
import { duplicate, FileDescriptor } from './file-descriptor';
import { EAGAIN, ECONNRESET, EMSGSIZE, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC } from './linux';
import { type Attempt, WOULD_BLOCK } from './operations';
import { os } from './os';

export type EmptyMessages = 'eof' | 'deliver';

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

  readonly #fd: number;
  readonly #address: () => string | Buffer;
  #held: HeldMessage | undefined;
  #reset: SeqpacketError | undefined;

  /** @param address names the socket in errors */
  constructor(fd: number, address: () => string | Buffer) {
    this.#fd = fd;
    this.#address = address;
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

    const systemFlags = flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    let bytes = os.recvmsg(this.#fd, parts, incomingControl, systemFlags);
    if (bytes === -ECONNRESET) {
      // The peer closed with unread data. What it sent before is still to be read, and comes first.
      this.#reset = this.#failure(bytes);
      bytes = os.recvmsg(this.#fd, parts, incomingControl, systemFlags);
    }
    if (bytes === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (bytes < 0) throw this.#failure(bytes);

    const ancillary = decodeAncillaryData();
    if (bytes === 0 && (this.emptyMessages === 'eof' || !ancillary.present)) {
      closeAll(ancillary.fds);
      throw this.#end();
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
      this.#held = { data, fds: ancillary.fds.map(FileDescriptor.adopt), truncated: ancillary.truncated };
    }
    return this.#messageSizeError(bytes);
  }

  #receiveHeld(held: HeldMessage, parts: Parts, flags: number): number {
    const { data } = held;
    if (data.length > byteLength(parts) && (flags & MSG_TRUNC) === 0) {
      throw this.#messageSizeError(data.length);
    }
    const peeks = (flags & MSG_PEEK) !== 0;
    const fds = held.fds.map((fd) => (peeks ? duplicate(fd.fd) : fd.detach()));
    if (!peeks) this.#held = undefined;
    copyToParts(data, parts);
    this.ancillary = { fds, truncated: held.truncated, present: true };
    return data.length;
  }

  /** The end, or once before it the reset that the kernel reported ahead of the last messages. */
  #end(): SeqpacketError {
    const reset = this.#reset;
    this.#reset = undefined;
    return reset ?? endOfFile(this.#address());
  }

  #failure(errno: number): SeqpacketError {
    return systemError('recvmsg', errno, this.#address());
  }

  #messageSizeError(messageSize: number): SeqpacketError {
    return Object.assign(this.#failure(-EMSGSIZE), { messageSize });
  }
}

/** Receives the data of one message; its descriptors, which nobody asked for, are closed. */
export class Receive implements Attempt<number> {
  readonly syscall = 'recvmsg';

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
  readonly syscall = 'recvmsg';

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
      fds: fds.slice(0, this.maxFds).map(FileDescriptor.adopt),
      controlTruncated: truncated || fds.length > this.maxFds,
    };
  }
}

/** Closes descriptors that the caller did not ask for. Their own errors concern nobody here. */
function closeAll(fds: readonly number[]): void {
  for (const fd of fds) os.close(fd);
}

function copyFromParts(parts: Parts, target: Buffer): number {
  if (!Array.isArray(parts)) {
    target.set(parts as Uint8Array);
    return (parts as Uint8Array).byteLength;
  }
  let at = 0;
  for (const part of parts) {
    target.set(part, at);
    at += part.byteLength;
  }
  return at;
}

function copyToParts(data: Buffer, parts: Parts): void {
  let at = 0;
  for (const part of Array.isArray(parts) ? parts : [parts]) {
    part.set(data.subarray(at, at + part.byteLength));
    at += part.byteLength;
  }
}
