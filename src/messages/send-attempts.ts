/** Attempts to send: one message, whole or not at all, or many messages. */

import { byteLength, type Parts } from '../arguments';
import { invalidState, systemError } from '../errors';
import { EAGAIN, EBADF, MSG_DONTWAIT } from '../system/linux';
import { os } from '../system/os';
import {
  type Attempt,
  type OperationQueue,
  type PlainOperation,
  UNFINISHED,
  WOULD_BLOCK,
} from '../waiting/operation-queue';
import { charge } from '../waiting/turn';
import type { Slots } from './message-batch';
import type { MessageSink } from './message-sink';

const plainSend: PlainOperation<MessageSink, Parts, number> = {
  try: (sink, parts) => trySend(sink, parts, 0),
  attempt: (sink, parts) => new Send(sink, parts, 0),
};

/** Sends one message without options. Makes an attempt only if it has to wait. */
export function send(sends: OperationQueue, sink: MessageSink, parts: Parts): Promise<number> {
  return sends.runPlain(plainSend, sink, parts);
}

export function trySend(sink: MessageSink, parts: Parts, flags: number): number | typeof WOULD_BLOCK {
  return outcome(sink, parts, flags, sink.send(parts, flags));
}

/** A message with at least one descriptor, to be sent without options. */
interface PartsWithFds {
  readonly parts: Parts;
  readonly fds: readonly number[];
}

const plainSendWithFds: PlainOperation<MessageSink, PartsWithFds, number> = {
  try: (sink, { parts, fds }) => outcome(sink, parts, 0, sink.sendWithFds(parts, fds, 0)),
  attempt: (sink, { parts, fds }) => new SendWithFds(sink, parts, fds, 0),
};

/** Sends one message with descriptors, without options. The caller keeps ownership of the descriptors. */
export function sendWithFds(
  sends: OperationQueue,
  sink: MessageSink,
  parts: Parts,
  fds: readonly number[],
): Promise<number> {
  if (fds.length === 0) return send(sends, sink, parts);
  return sends.runPlain(plainSendWithFds, sink, { parts, fds });
}

/** Evaluates the result of the sink: returns the length or WOULD_BLOCK, or throws the error. */
function outcome(sink: MessageSink, parts: Parts, flags: number, sent: number): number | typeof WOULD_BLOCK {
  if (sent === -EAGAIN && (flags & MSG_DONTWAIT) === 0) return WOULD_BLOCK;
  if (sent < 0) throw sink.sendingFailure(sent, parts);
  sink.messagesSent++;
  sink.bytesSent += sent;
  charge(sent, 0);
  return sent;
}

/** An attempt to send one message. */
export class Send implements Attempt<number> {
  /** The length of the message when it began to wait, in bytes; -1 before. */
  private length = -1;

  constructor(
    protected readonly sink: MessageSink,
    protected readonly parts: Parts,
    protected readonly flags: number,
  ) {}

  try(): number | typeof WOULD_BLOCK {
    this.checkLength();
    return trySend(this.sink, this.parts, this.flags);
  }

  get doesNotWait(): boolean {
    return (this.flags & MSG_DONTWAIT) !== 0;
  }

  get needsFirstTry(): boolean {
    return this.sink.needsFirstTry;
  }

  failure(errno: number): Error {
    return this.sink.sendingFailure(errno, this.parts);
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

  constructor(sink: MessageSink, parts: Parts, fds: readonly number[], flags: number) {
    super(sink, parts, flags);
    this.#fds = fds;
  }

  override try(): number | typeof WOULD_BLOCK {
    this.checkLength();
    const { sink, parts, flags } = this;
    const sent = this.#fds.length === 0 ? sink.send(parts, flags) : sink.sendWithFds(parts, this.#fds, flags);
    return outcome(sink, parts, flags, sent);
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

/** The base of attempts to send several messages, with as few system calls as the room permits. */
abstract class SendSeveral implements Attempt<number> {
  protected sent = 0;

  constructor(protected readonly sink: MessageSink) {}

  protected abstract readonly count: number;

  /** Sends messages from the index `sent` on. Returns their number, or the negative errno. */
  protected abstract sendNext(): number;

  protected abstract bytesOf(index: number): number;

  protected abstract partsOf(index: number): Parts;

  try(): number | typeof WOULD_BLOCK | typeof UNFINISHED {
    const { sink, count, sent: start } = this;
    if (start === count) return start;
    const sent = this.sendNext();
    if (sent === -EAGAIN) return WOULD_BLOCK;
    if (sent < 0) throw this.failure(sent);
    this.sent = start + sent;
    let bytes = 0;
    for (let index = start; index < this.sent; index++) bytes += this.bytesOf(index);
    sink.bytesSent += bytes;
    sink.messagesSent += sent;
    charge(bytes, 0);
    return this.sent === count ? count : UNFINISHED;
  }

  get needsFirstTry(): boolean {
    return this.sink.needsFirstTry;
  }

  failure(errno: number): Error {
    const next = this.sent < this.count ? this.partsOf(this.sent) : [];
    return this.aborted(this.sink.sendingFailure(errno, next));
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
    sink: MessageSink,
    private readonly messages: readonly Parts[],
  ) {
    super(sink);
  }

  protected get count(): number {
    return this.messages.length;
  }

  protected sendNext(): number {
    if (this.#lengths !== undefined) this.#checkLengths(this.#lengths);
    return this.sink.sendMany(this.messages, this.sent);
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

  /** Checks the messages that one call of the sink can send. */
  #checkLengths(lengths: readonly number[]): void {
    const end = Math.min(this.sent + this.sink.mostMessages, lengths.length);
    for (let i = this.sent; i < end; i++) {
      if (this.bytesOf(i) !== lengths[i]) throw this.aborted(detached());
    }
  }
}

/** Sends the messages of a batch. */
export class SendBatch extends SendSeveral {
  constructor(
    sink: MessageSink,
    private readonly slots: Slots,
  ) {
    super(sink);
  }

  protected get count(): number {
    return this.slots.length;
  }

  protected sendNext(): number {
    return this.sink.sendSlots(
      this.slots,
      this.sent,
      Math.min(this.count - this.sent, this.sink.mostMessages),
    );
  }

  protected bytesOf(index: number): number {
    return this.slots.lengths[index] as number;
  }

  protected partsOf(index: number): Parts {
    return this.slots.slot(index, this.bytesOf(index));
  }

  beginWaiting(): void {
    this.slots.isInUse = true;
  }

  endWaiting(): void {
    this.slots.isInUse = false;
  }
}

function detached(): Error {
  return invalidState('The data was detached or resized while it waited to be sent');
}
