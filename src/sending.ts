/** Sending: one sendmsg(2), whole or not at all. */
import { encodeDescriptors } from './ancillary-data';
import { byteLength, type Parts } from './arguments';
import { type Connection, noteReset } from './connection';
import { invalidState, systemError } from './errors';
import { duplicate } from './file-descriptor';
import { EAGAIN, ECONNRESET, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL } from './linux';
import { type Attempt, WOULD_BLOCK } from './operations';
import { os } from './os';

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
      throw invalidState('The data was detached or resized while it waited to be sent');
    }
    // MSG_EOR marks where the message ends, which other systems than Linux need to be told.
    const flags = this.#flags | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;
    const sent = os.sendmsg(this.#connection.fd, this.#parts, this.#control, flags);
    if (sent === -EAGAIN && (this.#flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
    if (sent === -ECONNRESET) noteReset(this.#connection);
    if (sent < 0) throw this.failure(sent);
    return sent;
  }

  failure(errno: number): Error {
    return systemError('sendmsg', errno, this.#connection.name());
  }

  /** While it waits the caller may close the descriptors, and their numbers may come to mean other files. */
  hold(): void {
    const own: number[] = [];
    this.#ownsFds = true;
    try {
      for (const fd of this.#fds) own.push(duplicate(fd));
    } catch (error) {
      this.#fds = own;
      this.drop();
      throw error;
    }
    this.#fds = own;
    this.#control = encodeDescriptors(own);
  }

  drop(): void {
    if (this.#ownsFds) for (const fd of this.#fds) os.close(fd);
    this.#fds = [];
  }
}
