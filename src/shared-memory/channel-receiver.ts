/** The receiving side of a channel: reads records, and the descriptors that belong to them. */
import { byteLength, type Parts } from '../arguments';
import { endOfFile, systemError } from '../errors';
import { type AncillaryData, closeDescriptors, NO_ANCILLARY_DATA } from '../messages/ancillary-data';
import { MAX_BATCH } from '../messages/batch';
import { bufferView } from '../messages/buffer-view';
import type { Slots } from '../messages/message-batch';
import { allocateMemory } from '../messages/message-memory';
import type { MessageSource } from '../messages/message-source';
import { copyToParts } from '../messages/scatter-gather';
import { ECONNRESET, EMSGSIZE, MSG_PEEK, MSG_TRUNC } from '../system/linux';
import { WOULD_BLOCK } from '../waiting/operation-queue';
import { charge } from '../waiting/turn';
import { Borrowed } from './borrowed';
import type { ChannelState } from './channel-sender';
import type { Control } from './control';
import type { RingReader } from './ring-reader';
import type { Mistrust, RingWriter } from './ring-writer';

/** The maximum number of bytes of several records that are copied at once. A longer record is copied alone. */
const LONGEST_COPY = 16_384;

/** The starts, relative to the first, and the lengths of the messages of a batch, in bytes. */
const starts = new Int32Array(MAX_BATCH);
const lengths = new Int32Array(MAX_BATCH);

export class ChannelReceiver implements MessageSource {
  messagesReceived = 0;
  bytesReceived = 0;
  #ancillary: AncillaryData = NO_ANCILLARY_DATA;
  /** The borrowed messages in order, released or not. The first is not released. */
  readonly #borrowed: Borrowed[] = [];
  /** Whether it was reported that the peer has closed its end with unread messages. */
  #hasReportedReset = false;

  constructor(
    private readonly ring: RingReader,
    private readonly outgoing: RingWriter,
    private readonly control: Control,
    private readonly state: ChannelState,
    private readonly mistrust: Mistrust,
  ) {}

  get holdsMessage(): boolean {
    return this.state.failure !== undefined || this.ring.next();
  }

  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK {
    const isPeek = (flags & MSG_PEEK) !== 0;
    if (!this.#nextWithFds(isPeek)) return WOULD_BLOCK;
    const { length } = this.ring;
    const room = byteLength(parts);
    if (length > room && (flags & MSG_TRUNC) === 0) throw this.#tooShort(length);
    const bytes = Math.min(length, room);
    if (Array.isArray(parts)) copyToParts(this.ring.content.subarray(0, bytes), parts);
    else this.ring.copy(parts as Uint8Array, 0, bytes);
    this.#takeFds(isPeek);
    if (!isPeek) this.#consume();
    return length;
  }

  receiveWhole(): Buffer | typeof WOULD_BLOCK {
    if (!this.#nextWithFds()) return WOULD_BLOCK;
    const { length } = this.ring;
    const data = allocateMemory(length);
    this.ring.copy(data, 0, length);
    this.#takeFds(false);
    this.#consume();
    return data;
  }

  receiveBatch(max: number): Buffer[] | typeof WOULD_BLOCK {
    if (!this.#nextWithFds()) return WOULD_BLOCK;
    const { ring } = this;
    const first = ring.position;
    let end = first;
    let count = 0;
    let bytes = 0;
    do {
      starts[count] = ring.position - first;
      lengths[count++] = ring.length;
      end = ring.position + ring.length;
      bytes += ring.length;
      this.#consumeOfBatch();
    } while (count < max && this.#another() && this.#continues(first, end));
    const messages = this.#copyBatch(first, end - first, count);
    this.#publish(count, bytes);
    return messages;
  }

  /** Whether the next record can be copied together with those before. */
  #continues(first: number, end: number): boolean {
    return this.ring.position > end && this.ring.position + this.ring.length - first <= LONGEST_COPY;
  }

  /** Copies records at once, with their headers, because each copy takes longer than short records. */
  #copyBatch(first: number, bytes: number, count: number): Buffer[] {
    const memory = allocateMemory(bytes);
    this.ring.copyRange(first, memory, 0, bytes);
    if (count === 1) return [memory];
    const { buffer, byteOffset } = memory;
    const messages: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      messages.push(bufferView(buffer, byteOffset + (starts[index] as number), lengths[index] as number));
    }
    return messages;
  }

  receiveIntoSlots(slots: Slots): number | typeof WOULD_BLOCK {
    slots.length = 0;
    if (!this.#nextWithFds()) return WOULD_BLOCK;
    if (this.ring.length > slots.bytes) throw this.#tooShort(this.ring.length);
    let count = 0;
    let bytes = 0;
    do {
      const { length } = this.ring;
      if (length > slots.bytes) break;
      this.ring.copyToSlot(slots, count);
      slots.lengths[count++] = length;
      bytes += length;
      this.#consumeOfBatch();
    } while (count < slots.capacity && this.#another());
    slots.length = count;
    this.#publish(count, bytes);
    return count;
  }

  /** Lends the next message in place. Its descriptors are closed. */
  borrow(): Borrowed | typeof WOULD_BLOCK {
    if (!this.#nextWithFds()) return WOULD_BLOCK;
    const borrowed = new Borrowed(this.ring.content, this.ring.head, () => this.#release());
    const { length } = this.ring;
    this.#borrowed.push(borrowed);
    this.#consumeOfBatch();
    this.#publish(1, length);
    return borrowed;
  }

  takeAncillaryData(): AncillaryData {
    const ancillary = this.#ancillary;
    this.#ancillary = NO_ANCILLARY_DATA;
    return ancillary;
  }

  discardAncillaryData(): void {
    if (this.#ancillary !== NO_ANCILLARY_DATA) closeDescriptors(this.takeAncillaryData());
  }

  failure(errno: number): Error {
    return systemError('recvmsg', errno, this.state.name);
  }

  /** Announces that this side sleeps. Returns whether there is a reason to try again. */
  sleep(): boolean {
    if (this.ring.sleep() || this.control.isEnded) return true;
    if (this.ring.takeProducerSleeps()) this.control.wake();
    return this.control.isEnded || this.state.failure !== undefined;
  }

  awake(): void {
    this.ring.awake();
  }

  /** Whether a receive would not have to wait. */
  get isReady(): boolean {
    return this.holdsMessage || this.control.isEnded;
  }

  /** Gives all room back to the peer, before the socket is closed. */
  end(): void {
    this.ring.end();
  }

  get hasBorrowed(): boolean {
    return this.#borrowed.length > 0;
  }

  /** Ends the use of borrowed messages, before their memory is unmapped. */
  forgetBorrowed(): void {
    for (const borrowed of this.#borrowed) borrowed.forget();
    this.#borrowed.length = 0;
  }

  /** Finds the next message. Throws at the end of file. A peek does not take the report of the reset. */
  #next(isPeek: boolean): boolean {
    if (this.state.failure !== undefined) throw this.state.failure;
    const { isEnded } = this.control;
    if (this.ring.next()) return true;
    if (!isEnded) return false;
    // The peer may have closed its end after the end of the direction.
    this.control.receiveAll();
    if (this.control.isGone && !this.#hasReportedReset && !this.outgoing.isRead) {
      this.#hasReportedReset = !isPeek;
      throw this.failure(-ECONNRESET);
    }
    throw endOfFile(this.state.name);
  }

  /** Finds the next message, and its descriptors. Throws at the end of file. */
  #nextWithFds(isPeek = false): boolean {
    return this.#next(isPeek) && (!this.ring.hasFds || this.#findFds());
  }

  /** Finds another message of a batch. If that fails, the next call fails for the same reason. */
  #another(): boolean {
    try {
      return this.#nextWithFds(true);
    } catch {
      return false;
    }
  }

  #takeFds(isPeek: boolean): void {
    if (!this.ring.hasFds) return;
    this.#ancillary = isPeek ? this.control.peekDescriptors() : this.control.takeDescriptors();
    charge(0, this.#ancillary.fds.length);
  }

  /**
   * Finds the descriptors of the next message, which were sent before it. Returns false if they may still come behind
   * many other messages of the socket: the operation then continues in a later turn.
   */
  #findFds(): boolean {
    const { control } = this;
    if (control.hasDescriptors) return true;
    const wereAll = control.receiveAll();
    if (control.hasDescriptors) return true;
    if (!wereAll) return false;
    throw this.mistrust('the peer has sent a message with descriptors, but not the descriptors');
  }

  /** Removes one message. */
  #consume(): void {
    const { length } = this.ring;
    this.ring.consume();
    this.#publish(1, length);
  }

  /** Removes one message of several, and closes its descriptors. */
  #consumeOfBatch(): void {
    if (this.ring.hasFds) closeDescriptors(this.control.takeDescriptors());
    this.ring.consume();
  }

  /** Counts messages, and gives their memory back to the producer, up to the first borrowed message. */
  #publish(messages: number, bytes: number): void {
    this.messagesReceived += messages;
    this.bytesReceived += bytes;
    charge(bytes, 0);
    this.#publishHead();
  }

  #publishHead(): void {
    const head = this.#borrowed.length === 0 ? this.ring.head : (this.#borrowed[0] as Borrowed).start;
    if (this.ring.publish(head)) this.control.wake();
  }

  /** Gives back the memory of borrowed messages that were released. */
  #release(): void {
    while (this.#borrowed[0]?.isReleased) this.#borrowed.shift();
    if (this.state.failure === undefined) this.#publishHead();
    else if (!this.hasBorrowed) this.state.unmapUnused();
  }

  #tooShort(messageSize: number): Error {
    return Object.assign(this.failure(-EMSGSIZE), { messageSize });
  }
}
