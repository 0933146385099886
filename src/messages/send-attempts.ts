/** Attempts to send: one message with sendmsg(2), whole or not at all, or many messages with sendmmsg(2). */

import { byteLength, type Parts } from '../arguments';
import { publishError } from '../diagnostics';
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
import type { BlockingCalls } from '../waiting/blocking';
import { type Attempt, type OperationQueue, UNFINISHED, WOULD_BLOCK } from '../waiting/operation-queue';
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

/** Sends one message without options. Makes an attempt only if it has to wait. */
export function send(session: SendingSide, parts: Parts): Promise<number> {
  const { sends } = session;
  if (!sends.mayTry()) return sends.run(new Send(session, parts, 0), undefined);
  try {
    const sent = trySend(session, parts, 0);
    if (sent === WOULD_BLOCK) return sends.waitAfterTry(new Send(session, parts, 0));
    return sends.completed(sent);
  } catch (error) {
    return sends.failed(error);
  }
}

/** The part of a session that sends, and may block. */
interface BlockingSide extends SendingSide {
  readonly blockingSends: BlockingCalls;
}

/** Sends one message by a blocking call. Makes an attempt only if it has to wait. */
export function sendBlocking(
  session: BlockingSide,
  parts: Parts,
  flags: number,
  timeout: number | undefined,
): number {
  if (!session.sends.isEmpty) return session.blockingSends.run(new Send(session, parts, flags), timeout);
  try {
    const sent = trySend(session, parts, flags);
    if (sent !== WOULD_BLOCK) return sent;
  } catch (error) {
    publishError(error);
    throw error;
  }
  return session.blockingSends.waitAfterTry(new Send(session, parts, flags), timeout);
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

/** Sends several messages, with as few system calls as the room in the kernel permits. */
export class SendMany implements Attempt<number> {
  readonly #connection: Connection;
  readonly #messages: readonly Parts[];
  /** The lengths of the messages when they began to wait, in bytes. */
  #lengths: readonly number[] | undefined;
  #sent = 0;

  constructor(connection: Connection, messages: readonly Parts[]) {
    this.#connection = connection;
    this.#messages = messages;
  }

  try(): number | typeof WOULD_BLOCK | typeof UNFINISHED {
    const connection = this.#connection;
    const messages = this.#messages;
    const start = this.#sent;
    if (start === messages.length) return start;
    if (this.#lengths !== undefined) this.#checkLengths(this.#lengths);
    const sent = os.sendmmsg(connection.fd, messages, start, SENDING_FLAGS);
    if (sent === -EAGAIN) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    this.#sent = start + sent;
    let bytes = 0;
    for (let i = start; i < this.#sent; i++) bytes += byteLength(messages[i] as Parts);
    connection.bytesSent += bytes;
    connection.messagesSent += sent;
    charge(bytes, 0);
    return this.#sent === messages.length ? this.#sent : UNFINISHED;
  }

  beginWaiting(): void {
    this.#lengths = this.#messages.map(byteLength);
  }

  /** Checks the messages that one system call can send. */
  #checkLengths(lengths: readonly number[]): void {
    const end = Math.min(this.#sent + MAX_BATCH, lengths.length);
    for (let i = this.#sent; i < end; i++) {
      if (byteLength(this.#messages[i] as Parts) !== lengths[i]) throw this.#withMessagesSent(detached());
    }
  }

  failure(errno: number): Error {
    return this.#withMessagesSent(sendingFailure(this.#connection, errno, this.#messages[this.#sent] ?? []));
  }

  aborted(error: Error): Error {
    return this.#withMessagesSent(error);
  }

  #withMessagesSent(error: Error): Error {
    return Object.assign(error, { messagesSent: this.#sent });
  }
}

/** Sends the messages of a batch, with as few system calls as the room in the kernel permits. */
export class SendBatch implements Attempt<number> {
  #sent = 0;

  constructor(
    private readonly connection: Connection,
    private readonly slots: Slots,
  ) {}

  try(): number | typeof WOULD_BLOCK | typeof UNFINISHED {
    const { connection, slots } = this;
    const start = this.#sent;
    const count = Math.min(slots.length - start, MAX_BATCH);
    if (count === 0) return start;
    const { memory, bytes, lengths } = slots;
    const sent = os.sendSlots(connection.fd, memory, bytes, lengths, start, count, SENDING_FLAGS);
    if (sent === -EAGAIN) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    this.#sent = start + sent;
    let total = 0;
    for (let i = start; i < this.#sent; i++) total += lengths[i] as number;
    connection.bytesSent += total;
    connection.messagesSent += sent;
    charge(total, 0);
    return this.#sent === slots.length ? this.#sent : UNFINISHED;
  }

  beginWaiting(): void {
    this.slots.isInUse = true;
  }

  endWaiting(): void {
    this.slots.isInUse = false;
  }

  failure(errno: number): Error {
    const { slots } = this;
    const next =
      this.#sent < slots.length ? slots.slot(this.#sent).subarray(0, slots.lengths[this.#sent]) : [];
    return this.aborted(sendingFailure(this.connection, errno, next));
  }

  aborted(error: Error): Error {
    return Object.assign(error, { messagesSent: this.#sent });
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
