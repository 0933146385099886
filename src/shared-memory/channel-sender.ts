/** The sending side of a channel: writes records, and sends their descriptors before. */
import { byteLength, type Parts } from '../arguments';
import { systemError } from '../errors';
import type { Slots } from '../messages/message-batch';
import type { MessageSink } from '../messages/message-sink';
import { EAGAIN, ECONNRESET, EMSGSIZE, EPIPE } from '../system/linux';
import type { Control } from './control';
import { MESSAGE, MESSAGE_WITH_FDS, MOST_FDS_ON_THEIR_WAY } from './layout';
import type { RingWriter } from './ring-writer';

/** The maximum number of messages, and of bytes, that one call writes, so that other work of the thread is not delayed. */
const MOST_MESSAGES = 1024;
const MOST_BYTES = 1 << 20;

/** The state of a channel that its two sides need. */
export interface ChannelState {
  /** The address for errors. */
  readonly name: string | Buffer;
  /** The error that has ended the channel. */
  readonly failure: Error | undefined;
  /** Called after a failure, when the last borrowed message was released. */
  unmapUnused(): void;
}

/** Descriptors that were sent for a record which the consumer may not have read. */
interface FdsOnTheirWay {
  readonly count: number;
  /** The end of the record, modulo 2^32. */
  readonly end: number;
}

export class ChannelSender implements MessageSink {
  readonly mostMessages = MOST_MESSAGES;
  readonly needsFirstTry = true;
  messagesSent = 0;
  bytesSent = 0;
  /** Whether `shutdown` has ended sending. */
  isShutDown = false;
  /** Whether memory of the ring is lent to the caller. Later messages have to wait. */
  isLent = false;
  /** Whether the last send has failed because the socket has no room for descriptors. */
  needsSocket = false;
  readonly #fds: FdsOnTheirWay[] = [];
  /** The length of the message for which there was no room. */
  #waitingBytes = 0;
  /** The number of descriptors that would have been too many on their way. */
  #waitingFds = 0;

  constructor(
    private readonly ring: RingWriter,
    private readonly control: Control,
    private readonly state: ChannelState,
  ) {}

  send(parts: Parts): number {
    const length = byteLength(parts);
    const position = this.reserve(length);
    if (position < 0) return position;
    this.ring.write(position, parts, length);
    return this.#complete(length);
  }

  sendWithFds(parts: Parts, fds: readonly number[]): number {
    const length = byteLength(parts);
    const position = this.reserve(length);
    if (position < 0) return position;
    if (!this.#mayPass(fds.length)) return -EAGAIN;
    // First, because it can fail, and the descriptors belong to the next record with descriptors.
    this.ring.write(position, parts, length);
    const sent = this.control.sendDescriptors(fds);
    if (sent < 0) {
      this.needsSocket = sent === -EAGAIN;
      if (sent === -ECONNRESET || sent === -EPIPE) this.control.receiveAll();
      return this.control.isGone ? -EPIPE : sent;
    }
    this.ring.commit(length, MESSAGE_WITH_FDS);
    this.#fds.push({ count: fds.length, end: this.ring.tail });
    return this.#publish(length);
  }

  sendMany(messages: readonly Parts[], start: number): number {
    const end = Math.min(messages.length, start + MOST_MESSAGES);
    let index = start;
    let bytes = 0;
    let result = 0;
    for (; index < end && bytes < MOST_BYTES; index++) {
      const parts = messages[index] as Parts;
      const length = byteLength(parts);
      const position = this.reserve(length);
      if (position < 0) {
        result = position;
        break;
      }
      this.ring.write(position, parts, length);
      this.ring.commit(length, MESSAGE);
      bytes += length;
    }
    return this.#publishSeveral(index - start, result);
  }

  sendSlots(slots: Slots, start: number, count: number): number {
    const { lengths } = slots;
    let index = start;
    let result = 0;
    for (; index < start + count; index++) {
      const length = lengths[index] as number;
      const position = this.reserve(length);
      if (position < 0) {
        result = position;
        break;
      }
      this.ring.writeSlot(position, slots, index, length);
      this.ring.commit(length, MESSAGE);
    }
    return this.#publishSeveral(index - start, result);
  }

  /** Reserves a record: the position of its content, or a negative errno. */
  reserve(length: number): number {
    if (this.state.failure !== undefined) throw this.state.failure;
    if (this.isShutDown || this.control.isGone) return -EPIPE;
    if (length > this.ring.longest) return -EMSGSIZE;
    this.needsSocket = false;
    if (this.isLent) return -EAGAIN;
    const position = this.ring.reserve(length);
    if (position !== -1) return position;
    this.#waitingBytes = length;
    this.#waitingFds = 0;
    return -EAGAIN;
  }

  /** Completes the lent record with this length. */
  sendLent(length: number): void {
    if (this.state.failure !== undefined) throw this.state.failure;
    if (this.control.isGone || this.#complete(length) < 0) throw this.#failure(-EPIPE);
    this.messagesSent++;
    this.bytesSent += length;
  }

  sendingFailure(errno: number, parts: Parts): Error {
    return errno === -EMSGSIZE ? this.#tooLong(byteLength(parts)) : this.#failure(errno);
  }

  /** Creates the error of a lease of this length. */
  leaseFailure(errno: number, bytes: number): Error {
    if (errno === -EMSGSIZE) return this.#tooLong(bytes);
    return this.#failure(errno, errno === -EAGAIN ? "no room now: wait('write', { bytes })" : undefined);
  }

  #failure(errno: number, detail?: string): Error {
    return systemError('sendmsg', errno, this.state.name, detail);
  }

  #tooLong(messageSize: number): Error {
    const { longest } = this.ring;
    const detail = `${messageSize} bytes, and at most half of the ring, ${longest} bytes, are possible`;
    return Object.assign(this.#failure(-EMSGSIZE, detail), { messageSize });
  }

  /** Announces that this side sleeps. Returns whether there is a reason to try again. */
  sleep(): boolean {
    if (this.control.isGone || this.isShutDown || this.state.failure !== undefined) return true;
    if (this.isLent) return false;
    this.ring.sleep();
    return this.ring.reserve(this.#waitingBytes) !== -1 && this.#mayPass(this.#waitingFds);
  }

  awake(): void {
    this.ring.awake();
    // The next operation may wait for less, and may wait before it is tried.
    this.#waitingBytes = 0;
    this.#waitingFds = 0;
  }

  /** Whether a message of this length would not have to wait. */
  isReadyFor(length: number): boolean {
    return this.reserve(length) !== -EAGAIN;
  }

  /** The peer gets its descriptors only when it reads: those on their way must not exceed what it has to hold. */
  #mayPass(count: number): boolean {
    this.#waitingFds = 0;
    if (count === 0 || this.#fds.length === 0) return true;
    const head = this.ring.readHead();
    const { tail } = this.ring;
    // A record is read if `head` is not before its end.
    while (
      this.#fds.length > 0 &&
      (tail - head) >>> 0 <= (tail - (this.#fds[0] as FdsOnTheirWay).end) >>> 0
    ) {
      this.#fds.shift();
    }
    const onTheirWay = this.#fds.reduce((sum, { count }) => sum + count, 0);
    if (onTheirWay + count <= MOST_FDS_ON_THEIR_WAY) return true;
    this.#waitingBytes = 0;
    this.#waitingFds = count;
    return false;
  }

  /** Completes the reserved record, and makes it visible. Returns its length, or a negative errno. */
  #complete(length: number): number {
    this.ring.commit(length, MESSAGE);
    return this.#publish(length);
  }

  /** Returns the result, or -EPIPE if it turns out that the peer is gone. */
  #publish(result: number): number {
    const { published } = this.ring;
    if (!this.ring.publish()) return result;
    this.control.wake();
    if (!this.control.isGone || this.ring.isRead) return result;
    this.ring.retract(published);
    return -EPIPE;
  }

  #publishSeveral(count: number, result: number): number {
    return count === 0 ? result : this.#publish(count);
  }
}
