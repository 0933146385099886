/** One end of a channel in shared memory, as far as it differs from a socket: docs/shared-memory.md. */
import { type IsSaid, KernelSocket, type Limits } from './kernel.js';
import { type Message, NOT_OPEN, total } from './message.js';

const MOST_FDS_ON_THEIR_WAY = 253;

const recordBytes = (length: number): number => (length + 8 + 7) & ~7;

/** The place of a record in a ring, in bytes since the ring was made. */
interface Place {
  /** Where the record begins, behind the padding. */
  readonly start: number;
  readonly end: number;
}

interface SentRecord extends Place {
  readonly fds: number;
}

/** A message that was received in place, and where it is. */
export interface Lent extends Message {
  readonly start: number;
  isReleased: boolean;
}

/** The ring of one direction, to the byte. */
class Ring {
  /** The end of the last record. */
  #tail = 0;
  /** The end of the last record that was received. */
  #read = 0;
  /** The records that were not received yet. */
  readonly #unread: SentRecord[] = [];
  /** Those before the head with descriptors, as the sender knows them. */
  #withFds: SentRecord[] = [];
  /** In order. The first is not released. */
  readonly #lent: Lent[] = [];

  constructor(readonly capacity: number) {}

  get longest(): number {
    return this.capacity / 2 - 8;
  }

  /** Where a record of this length would be. */
  place(length: number): Place {
    const toEnd = this.capacity - (this.#tail % this.capacity);
    const bytes = recordBytes(length);
    const start = bytes <= toEnd ? this.#tail : this.#tail + toEnd;
    return { start, end: start + bytes };
  }

  write(start: number, length: number, fds: number): void {
    const record = { start, end: start + recordBytes(length), fds };
    this.#tail = record.end;
    this.#unread.push(record);
    if (fds > 0) this.#withFds.push(record);
  }

  read(): SentRecord {
    const record = this.#unread.shift() as SentRecord;
    this.#read = record.end;
    return record;
  }

  lend(message: Message): Lent {
    const lent = { ...message, start: this.read().start, isReleased: false };
    this.#lent.push(lent);
    return lent;
  }

  release(lent: Lent): void {
    lent.isReleased = true;
    while (this.#lent[0]?.isReleased) this.#lent.shift();
  }

  /** The receiver was closed: it has given all room back. */
  end(): void {
    this.#lent.length = 0;
  }

  /** The head that the receiver has written, at least: padding behind it may be skipped or not. */
  get #leastHead(): number {
    return this.#lent[0]?.start ?? this.#read;
  }

  get #mostHead(): number {
    return this.#lent[0]?.start ?? this.#unread[0]?.start ?? this.#read;
  }

  /** Whether there is room for a record of this length; undefined if that depends on padding. */
  hasRoom(length: number): boolean | undefined {
    const { end } = this.place(length);
    if (end - this.#leastHead <= this.capacity) return true;
    return end - this.#mostHead <= this.capacity ? undefined : false;
  }

  hasRoomForFds(fds: number): boolean {
    if (fds === 0) return true;
    this.#withFds = this.#withFds.filter(({ end }) => end > this.#leastHead);
    return total(this.#withFds.map((each) => each.fds)) + fds <= MOST_FDS_ON_THEIR_WAY;
  }

  get isHalfFree(): boolean {
    return this.#tail - this.#leastHead <= this.capacity / 2;
  }
}

export class ChannelEnd extends KernelSocket {
  override readonly holdsMessages: boolean = false;
  override readonly resetsSends: boolean = false;
  /** The memory for the messages that this end sends. */
  readonly ring: Ring;
  /** Where the leased record begins; undefined without a lease. */
  #leasedAt: number | undefined;
  /** Whether a receive waits at this end. */
  isAwaited: () => boolean = () => false;

  constructor(limits: Limits, capacity: number) {
    super(limits);
    this.ring = new Ring(capacity);
  }

  get longest(): number {
    return this.ring.longest;
  }

  override sendError({ data }: Message, isSaid: IsSaid): string | undefined {
    const tooLong = data.length > this.longest ? `EMSGSIZE ${data.length}` : undefined;
    if (!this.sendsNoMore) return tooLong;
    // That the peer was closed may be unknown, if the message cannot be sent for another reason.
    return tooLong !== undefined && !this.endedSending && isSaid(`sendmsg ${tooLong}`) ? tooLong : 'EPIPE';
  }

  /** Also if a send would fail. */
  override roomFor(message: Message): boolean | undefined {
    if (this.sendError(message, () => false) !== undefined) return true;
    if (this.#leasedAt !== undefined) return false;
    const hasRoom = this.ring.hasRoom(message.data.length);
    return hasRoom === false || this.ring.hasRoomForFds(message.files.length) ? hasRoom : false;
  }

  override deliver(message: Message): string | undefined {
    const { data, files } = message;
    if (files.includes(NOT_OPEN)) return 'EBADF';
    this.ring.write(this.ring.place(data.length).start, data.length, files.length);
    (this.peer as ChannelEnd).queue.push(message);
    return undefined;
  }

  /** The receiver wakes the sender when half of the ring is free, or before it sleeps. */
  override mustSend(message: Message, isDue: boolean): boolean {
    if (this.roomFor(message) !== true) return false;
    if (isDue || this.sendsNoMore || this.ring.isHalfFree) return true;
    const peer = this.peer as ChannelEnd;
    return peer.queue.length === 0 && peer.isAwaited();
  }

  get #incoming(): Ring {
    return (this.peer as ChannelEnd).ring;
  }

  override take(): Message {
    this.#incoming.read();
    return super.take();
  }

  /** Takes the first message off the queue, and leaves it in the ring. */
  lend(): Lent {
    return this.#incoming.lend(super.take());
  }

  release(lent: Lent): void {
    this.#incoming.release(lent);
  }

  lease(bytes: number): void {
    this.#leasedAt = this.ring.place(bytes).start;
  }

  override get isLeased(): boolean {
    return this.#leasedAt !== undefined;
  }

  cancelLease(): void {
    this.#leasedAt = undefined;
  }

  /** Sends the leased message, or returns the error. */
  sendLeased(data: Buffer): string | undefined {
    const start = this.#leasedAt as number;
    this.#leasedAt = undefined;
    if (this.sendsNoMore) return 'EPIPE';
    this.ring.write(start, data.length, 0);
    (this.peer as ChannelEnd).queue.push({ data, files: [] });
    return undefined;
  }

  override shutdown(receive: boolean, send: boolean): void {
    if (send) this.#leasedAt = undefined;
    super.shutdown(receive, send);
  }

  override ended(): void {
    this.#incoming.end();
    this.#leasedAt = undefined;
  }
}
