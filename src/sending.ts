/** Sending: one sendmsg(2), whole or not at all; or many messages with one sendmmsg(2). */
import { encodeDescriptors } from './ancillary-data';
import { byteLength, type Parts } from './arguments';
import type { Connection } from './connection';
import { invalidState, systemError } from './errors';
import { EAGAIN, EBADF, ECONNRESET, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL } from './linux';
import { type Attempt, NOT_DONE, WOULD_BLOCK } from './operations';
import { os } from './os';

/** The most messages that one sendmmsg sends. */
const MAX_BATCH = 64;

export class Send implements Attempt<number> {
  readonly #connection: Connection;
  readonly #parts: Parts;
  readonly #length: number;
  readonly #flags: number;
  #control: Uint8Array | null;
  #fds: readonly number[];
  #ownsFds = false;

  /** @param fds descriptors to pass, which stay the caller's */
  constructor(connection: Connection, parts: Parts, fds: readonly number[], flags: number) {
    this.#connection = connection;
    this.#parts = parts;
    this.#length = byteLength(parts);
    this.#flags = flags;
    this.#fds = fds;
    this.#control = encodeDescriptors(fds);
  }

  try(): number | typeof WOULD_BLOCK {
    if (byteLength(this.#parts) !== this.#length) {
      throw detached();
    }
    // MSG_EOR marks where the message ends, which other systems than Linux need to be told.
    const flags = this.#flags | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;
    const sent = os.sendmsg(this.#connection.fd, this.#parts, this.#control, flags);
    if (sent === -EAGAIN && (this.#flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    this.#connection.counters.messagesSent++;
    this.#connection.counters.bytesSent += sent;
    return sent;
  }

  failure(errno: number): Error {
    return sendingFailure(this.#connection, errno);
  }

  /** While it waits the caller may close the descriptors, and their numbers may come to mean other files. */
  hold(): void {
    const own: number[] = [];
    this.#ownsFds = true;
    try {
      for (const fd of this.#fds) own.push(this.#duplicate(fd));
    } catch (error) {
      this.#fds = own;
      this.drop();
      throw error;
    }
    this.#fds = own;
    this.#control = encodeDescriptors(own);
  }

  #duplicate(fd: number): number {
    const duplicate = os.dup(fd);
    // What is not open is refused as sendmsg would refuse it.
    if (duplicate === -EBADF) throw this.failure(duplicate);
    if (duplicate < 0) throw systemError('dup', duplicate);
    return duplicate;
  }

  drop(): void {
    if (this.#ownsFds) for (const fd of this.#fds) os.close(fd);
    this.#fds = [];
  }
}

/** Several messages, with as few system calls as the kernel has room for. */
export class SendMany implements Attempt<number> {
  readonly #connection: Connection;
  readonly #messages: readonly Parts[];
  readonly #lengths: readonly number[];
  #sent = 0;

  constructor(connection: Connection, messages: readonly Parts[]) {
    this.#connection = connection;
    this.#messages = messages;
    this.#lengths = messages.map(byteLength);
  }

  try(): number | typeof WOULD_BLOCK | typeof NOT_DONE {
    const { fd, counters } = this.#connection;
    const messages = this.#messages;
    if (this.#sent === messages.length) return this.#sent;
    // All that one system call may take.
    for (let i = this.#sent; i < Math.min(this.#sent + MAX_BATCH, messages.length); i++) {
      if (byteLength(messages[i] as Parts) !== this.#lengths[i]) throw this.#noting(detached());
    }
    const sent = os.sendmmsg(fd, messages, this.#sent, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
    if (sent === -EAGAIN) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    for (let i = 0; i < sent; i++) counters.bytesSent += this.#lengths[this.#sent + i] as number;
    counters.messagesSent += sent;
    this.#sent += sent;
    return this.#sent === messages.length ? this.#sent : NOT_DONE;
  }

  failure(errno: number): Error {
    return this.#noting(sendingFailure(this.#connection, errno));
  }

  aborted(error: Error): Error {
    return this.#noting(error);
  }

  #noting(error: Error): Error {
    return Object.assign(error, { messagesSent: this.#sent });
  }
}

function sendingFailure(connection: Connection, errno: number): Error {
  if (errno === -ECONNRESET) connection.noteReset();
  return systemError('sendmsg', errno, connection.name());
}

function detached(): Error {
  return invalidState('The data was detached or resized while it waited to be sent');
}
