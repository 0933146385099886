/** Attempts to send: one message with sendmsg(2), whole or not at all, or many messages with sendmmsg(2). */

import { byteLength, type Parts } from '../arguments';
import { invalidState, systemError, tooLongToSend } from '../errors';
import {
  EAGAIN,
  EBADF,
  ECONNRESET,
  EMSGSIZE,
  MSG_DONTWAIT,
  MSG_EOR,
  MSG_NOSIGNAL,
  SO_SNDBUF,
} from '../system/linux';
import { os } from '../system/os';
import { getIntegerOption } from '../system/socket-options';
import {
  type Attempt,
  type OperationQueue,
  type PlainOperation,
  UNFINISHED,
  WOULD_BLOCK,
} from '../waiting/operation-queue';
import { charge } from '../waiting/turn';
import { encodeDescriptors } from './ancillary-data';
import { MAX_BATCH } from './batch';
import type { Connection } from './connection';
import type { Slots } from './message-batch';

/** MSG_EOR marks the end of the message. Linux does not need it; other systems do. */
const SENDING_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;

/** The part of a session that sends. */
interface SendingSide extends Connection {
  readonly sends: OperationQueue;
}

const plainSend: PlainOperation<Connection, Parts, number> = {
  try: (connection, parts) => trySend(connection, parts, 0),
  attempt: (connection, parts) => new Send(connection, parts, 0),
};

/** Sends one message without options. Makes an attempt only if it has to wait. */
export function send(session: SendingSide, parts: Parts): Promise<number> {
  return session.sends.runPlain(plainSend, session, parts);
}

export function trySend(connection: Connection, parts: Parts, flags: number): number | typeof WOULD_BLOCK {
  const { fd } = connection;
  const sent = Array.isArray(parts)
    ? os.sendmsg(fd, parts, null, flags | SENDING_FLAGS)
    : os.send(fd, parts as Uint8Array, flags | SENDING_FLAGS);
  return outcome(connection, parts, flags, sent);
}

/** Evaluates the result of the system call: returns the length or WOULD_BLOCK, or throws the error. */
function outcome(
  connection: Connection,
  parts: Parts,
  flags: number,
  sent: number,
): number | typeof WOULD_BLOCK {
  if (sent === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
  if (sent < 0) throw sendingFailure(connection, sent, parts);
  connection.messagesSent++;
  connection.bytesSent += sent;
  charge(sent, 0);
  return sent;
}

/** An attempt to send one message. */
export class Send implements Attempt<number> {
  /** The length of the message when it began to wait, in bytes; -1 before. */
  private length = -1;

  constructor(
    protected readonly connection: Connection,
    protected readonly parts: Parts,
    protected readonly flags: number,
  ) {}

  try(): number | typeof WOULD_BLOCK {
    this.checkLength();
    return trySend(this.connection, this.parts, this.flags);
  }

  get doesNotWait(): boolean {
    return (this.flags & MSG_DONTWAIT) !== 0;
  }

  failure(errno: number): Error {
    return sendingFailure(this.connection, errno, this.parts);
  }

  beginWaiting(): void {
    this.length = byteLength(this.parts);
  }

  protected checkLength(): void {
    if (this.length !== -1 && byteLength(this.parts) !== this.length) throw detached();
  }
}

/** Sends one message with descriptors. The caller keeps ownership of them. */
export class SendWithFds extends Send {
  #fds: readonly number[];
  #ownsFds = false;

  constructor(connection: Connection, parts: Parts, fds: readonly number[], flags: number) {
    super(connection, parts, flags);
    this.#fds = fds;
  }

  override try(): number | typeof WOULD_BLOCK {
    this.checkLength();
    const { connection, parts, flags } = this;
    const sent = os.sendmsg(connection.fd, parts, encodeDescriptors(this.#fds), flags | SENDING_FLAGS);
    return outcome(connection, parts, flags, sent);
  }

  /** Duplicates the descriptors, because the caller may close them during the wait, and their numbers may be reused. */
  override beginWaiting(): void {
    super.beginWaiting();
    const own: number[] = [];
    this.#ownsFds = true;
    try {
      for (const fd of this.#fds) own.push(this.#duplicate(fd));
    } catch (error) {
      this.#fds = own;
      this.endWaiting();
      throw error;
    }
    this.#fds = own;
  }

  #duplicate(fd: number): number {
    const duplicate = os.dup(fd);
    // A descriptor that is not open gets the same error as from sendmsg.
    if (duplicate === -EBADF) throw this.failure(duplicate);
    if (duplicate < 0) throw systemError('dup', duplicate);
    return duplicate;
  }

  endWaiting(): void {
    if (this.#ownsFds) for (const fd of this.#fds) os.close(fd);
    this.#fds = [];
  }
}

/** The base of attempts to send several messages, with as few system calls as the room in the kernel permits. */
abstract class SendSeveral implements Attempt<number> {
  protected sent = 0;

  constructor(protected readonly connection: Connection) {}

  protected abstract readonly count: number;

  /** Sends messages from the index `sent` on with one system call. Returns their number, or the negative errno. */
  protected abstract sendNext(): number;

  protected abstract bytesOf(index: number): number;

  protected abstract partsOf(index: number): Parts;

  try(): number | typeof WOULD_BLOCK | typeof UNFINISHED {
    const { connection, count, sent: start } = this;
    if (start === count) return start;
    const sent = this.sendNext();
    if (sent === -EAGAIN) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    this.sent = start + sent;
    let bytes = 0;
    for (let index = start; index < this.sent; index++) bytes += this.bytesOf(index);
    connection.bytesSent += bytes;
    connection.messagesSent += sent;
    charge(bytes, 0);
    return this.sent === count ? count : UNFINISHED;
  }

  failure(errno: number): Error {
    const next = this.sent < this.count ? this.partsOf(this.sent) : [];
    return this.aborted(sendingFailure(this.connection, errno, next));
  }

  aborted(error: Error): Error {
    return Object.assign(error, { messagesSent: this.sent });
  }
}

/** Sends several messages. */
export class SendMany extends SendSeveral {
  /** The lengths of the messages when they began to wait, in bytes. */
  #lengths: readonly number[] | undefined;

  constructor(
    connection: Connection,
    private readonly messages: readonly Parts[],
  ) {
    super(connection);
  }

  protected get count(): number {
    return this.messages.length;
  }

  protected sendNext(): number {
    if (this.#lengths !== undefined) this.#checkLengths(this.#lengths);
    return os.sendmmsg(this.connection.fd, this.messages, this.sent, SENDING_FLAGS);
  }

  protected bytesOf(index: number): number {
    return byteLength(this.partsOf(index));
  }

  protected partsOf(index: number): Parts {
    return this.messages[index] as Parts;
  }

  beginWaiting(): void {
    this.#lengths = this.messages.map(byteLength);
  }

  /** Checks the messages that one system call can send. */
  #checkLengths(lengths: readonly number[]): void {
    const end = Math.min(this.sent + MAX_BATCH, lengths.length);
    for (let i = this.sent; i < end; i++) {
      if (this.bytesOf(i) !== lengths[i]) throw this.aborted(detached());
    }
  }
}

/** Sends the messages of a batch. */
export class SendBatch extends SendSeveral {
  constructor(
    connection: Connection,
    private readonly slots: Slots,
  ) {
    super(connection);
  }

  protected get count(): number {
    return this.slots.length;
  }

  protected sendNext(): number {
    const { memory, bytes, lengths } = this.slots;
    const count = Math.min(this.count - this.sent, MAX_BATCH);
    return os.sendSlots(this.connection.fd, memory, bytes, lengths, this.sent, count, SENDING_FLAGS);
  }

  protected bytesOf(index: number): number {
    return this.slots.lengths[index] as number;
  }

  protected partsOf(index: number): Parts {
    return this.slots.slot(index).subarray(0, this.bytesOf(index));
  }

  beginWaiting(): void {
    this.slots.isInUse = true;
  }

  endWaiting(): void {
    this.slots.isInUse = false;
  }
}

function sendingFailure(connection: Connection, errno: number, parts: Parts): Error {
  if (errno === -ECONNRESET) connection.recordReset();
  if (errno === -EMSGSIZE) {
    return tooLongToSend(byteLength(parts), getIntegerOption(connection.fd, SO_SNDBUF), connection.name);
  }
  return systemError('sendmsg', errno, connection.name);
}

function detached(): Error {
  return invalidState('The data was detached or resized while it waited to be sent');
}
