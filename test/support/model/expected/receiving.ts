import { MessageFlag } from 'seqpacket';
import type { ChannelEnd, Lent } from './channel-end.js';
import { digest, type Message } from './message.js';
import { Operation, type Ticket } from './operation.js';
import { failed, isError, type Outcome } from './outcome.js';
import type { Session, SocketModel } from './socket-model.js';

/** What all kinds of receiving have in common. */
abstract class Receiving extends Operation {
  constructor(
    readonly socket: SocketModel,
    readonly flags: number,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('recvmsg', ticket, signal);
  }

  protected has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  protected get session(): Session {
    return this.socket.session as Session;
  }

  /** Before the kernel's queue is looked at. */
  protected meetReset(): void {
    const { kernel } = this.session;
    if (!kernel.reset) return;
    kernel.reset = false;
    this.session.wasReset = true;
    this.session.wasContested = kernel.resetsSends && this.socket.sends.waiting.length > 0;
  }

  protected isEnd({ data }: Message): boolean {
    return data.length === 0 && this.session.emptyMessages === 'eof';
  }

  /** Whole messages, not those received into a buffer, say how long the next ones may be. */
  protected expect(length: number): void {
    this.session.expected = Math.max(length, this.session.expected >> 1);
  }

  protected count({ data }: Message): void {
    this.session.counters.messagesReceived++;
    this.session.counters.bytesReceived += data.length;
  }

  /** What there is when no message is. */
  protected end(): Outcome | undefined {
    const { session } = this;
    if (!session.kernel.receivesNoMore) {
      // Whether it was tried before a message came that came in the same turn is for the event loop to say.
      const wouldBlock = isError(this.ticket.outcome, 'recvmsg EAGAIN');
      return this.isImpatient && wouldBlock ? this.ticket.outcome : undefined;
    }
    if (!session.wasReset) return failed('recvmsg EOF');
    if (!this.has(MessageFlag.peek)) session.wasReset = false;
    return failed('recvmsg ECONNRESET');
  }

  /** Takes the first message off a queue: that of the kernel, or the held messages. */
  protected take(queue: Message[]): Message {
    const { kernel } = this.session;
    return queue === kernel.queue ? kernel.take() : (queue.shift() as Message);
  }

  get isOwed(): boolean {
    return this.session.held.length > 0 || this.session.kernel.isReadable;
  }

  override get mayNotWait(): boolean {
    return this.has(MessageFlag.dontWait);
  }

  override get isImpatient(): boolean {
    return this.mayNotWait;
  }
}

/** One message: receive, receiveWithFds, receiveMessage, tryReceive. */
export class Receive extends Receiving {
  constructor(
    socket: SocketModel,
    readonly room: number,
    /** Undefined for a receive without descriptors. */
    readonly maxFds: number | undefined,
    flags: number,
    ticket: Ticket,
    signal?: AbortSignal,
  ) {
    super(socket, flags, ticket, signal);
  }

  attempt(): Outcome | undefined {
    const { kernel, held } = this.session;
    if (held.length === 0) {
      if (kernel.state !== 'connected') return failed('recvmsg ENOTCONN');
      this.meetReset();
    }
    const queue = held.length > 0 ? held : kernel.queue;
    const [message] = queue;
    if (message === undefined) return this.end();
    const { data, files } = message;
    const isPeek = this.has(MessageFlag.peek);
    if (this.isEnd(message)) {
      if (!isPeek) this.take(queue);
      return failed('recvmsg EOF');
    }
    if (data.length > this.room && !this.has(MessageFlag.truncate)) {
      if (!isPeek && queue !== held && kernel.holdsMessages) held.push(kernel.take());
      return failed(`recvmsg EMSGSIZE ${data.length}`);
    }
    if (!isPeek) {
      this.take(queue);
      this.count(message);
      if (queue !== held && this.room === Number.POSITIVE_INFINITY) this.expect(data.length);
    }
    const received = {
      bytesRead: data.length,
      data: digest(data.subarray(0, this.room)),
      isRestUntouched: true,
    };
    if (this.maxFds === undefined) return { value: received };
    const controlTruncated = files.length > this.maxFds;
    return {
      value: { ...received, files: files.slice(0, this.maxFds), areCloseOnExec: true, controlTruncated },
    };
  }
}

/** The largest number of messages that are received together. */
const MOST_OF_BATCH = 64;

/** Where messages are longer, receiveMany takes them one by one. */
const LONGEST_OF_BATCH = 32_768;

/** receiveMany */
export class ReceiveMany extends Receiving {
  constructor(
    socket: SocketModel,
    readonly max: number,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super(socket, 0, ticket, signal);
  }

  override splitsAt(length: number): boolean {
    return length === 0 && this.session.emptyMessages === 'eof';
  }

  /** Receives as many messages as it really did: each number from 1 on is right. */
  #attemptWithoutHolding(): Outcome | undefined {
    const { kernel } = this.session;
    const [first] = kernel.queue;
    if (first === undefined) {
      this.meetReset();
      return this.end();
    }
    if (this.isTooLong(first)) return failed(`recvmsg EMSGSIZE ${first.data.length}`);
    const count = this.#count;
    if (count === 0 || count > this.max || count > kernel.queue.length) return undefined;
    if (kernel.queue.slice(0, count).some((each) => this.isTooLong(each))) return undefined;
    const messages = Array.from({ length: count }, () => kernel.take());
    for (const message of messages) this.count(message);
    return { value: messages.map(({ data }) => digest(data)) };
  }

  get #most(): number {
    return Math.min(this.max, MOST_OF_BATCH);
  }

  /** Whether the next messages are received one by one. */
  protected get isOne(): boolean {
    return this.session.expected > LONGEST_OF_BATCH || this.session.oneByOne > 0;
  }

  protected isTooLong(_message: Message): boolean {
    return false;
  }

  /** Whether messages may be held where empty messages are delivered, too. */
  protected get mayHold(): boolean {
    return false;
  }

  attempt(): Outcome | undefined {
    const { kernel, held } = this.session;
    if (!kernel.holdsMessages) return this.#attemptWithoutHolding();
    if (held.length === 0) {
      if (kernel.state !== 'connected') return failed('recvmsg ENOTCONN');
      this.meetReset();
      // Messages that had to wait for room may have come one by one or together.
      if (this.#count > kernel.queue.length) return undefined;
      this.#fetch();
    }
    const [first] = held;
    if (first === undefined) return this.end();
    if (this.isEnd(first)) {
      held.shift();
      return failed('recvmsg EOF');
    }
    if (this.isTooLong(first)) return failed(`recvmsg EMSGSIZE ${first.data.length}`);
    const end = held.findIndex((message) => this.isEnd(message) || this.isTooLong(message));
    const messages = held.splice(0, Math.min(end === -1 ? this.#most : end, this.#most));
    for (const message of messages) this.count(message);
    return { value: messages.map(({ data }) => digest(data)) };
  }

  #fetch(): void {
    const { kernel, held, oneByOne, emptyMessages } = this.session;
    const { isOne } = this;
    const fetched = kernel.queue.splice(0, isOne ? 1 : this.#most);
    const isOfBatch = (message: Message) => !this.isEnd(message) && !this.isTooLong(message);
    const isPlain = fetched.every(({ data, files }) => data.length > 0 && files.length === 0);
    const isTaken = isOne
      ? fetched.some(isOfBatch)
      : isPlain && fetched.length > 0 && fetched.every(isOfBatch);
    if (!isOne || isTaken) {
      const hadDescriptors = fetched.some(({ files }) => files.length > 0);
      if (hadDescriptors && (this.mayHold || emptyMessages === 'eof')) this.session.oneByOne = 64;
      else if (isOne && oneByOne > 0) this.session.oneByOne--;
    }
    if (isTaken) this.learn(Math.max(...fetched.map(({ data }) => data.length)));
    held.push(...fetched);
  }

  /** Called with the length of the longest message that was fetched. */
  protected learn(length: number): void {
    this.expect(length);
  }

  get #count(): number {
    const { outcome } = this.ticket;
    return outcome !== undefined && 'value' in outcome ? (outcome.value as string[]).length : 0;
  }
}

/** receiveBatch */
export class ReceiveBatch extends ReceiveMany {
  constructor(
    socket: SocketModel,
    max: number,
    readonly slot: number,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super(socket, max, ticket, signal);
  }

  override splitsAt(length: number): boolean {
    return super.splitsAt(length) || (this.session.kernel.holdsMessages && length > this.slot);
  }

  protected override get isOne(): boolean {
    return this.session.oneByOne > 0;
  }

  protected override isTooLong({ data }: Message): boolean {
    return data.length > this.slot;
  }

  protected override get mayHold(): boolean {
    return true;
  }

  /** Slots have their length, whatever the messages are like. */
  protected override learn(): void {}
}

/** borrow */
export class Borrow extends Receive {
  /** @param borrowed receives the message */
  constructor(
    socket: SocketModel,
    ticket: Ticket,
    signal: AbortSignal | undefined,
    readonly borrowed: (lent: Lent) => void,
  ) {
    super(socket, Number.POSITIVE_INFINITY, undefined, 0, ticket, signal);
  }

  protected override take(): Message {
    const lent = (this.session.kernel as ChannelEnd).lend();
    this.borrowed(lent);
    return lent;
  }
}
