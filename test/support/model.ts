/**
 * What the library promises, as a model without a single system call: the kernel below it as far as the
 * promises depend on it (unix(7), af_unix.c), and above it sockets and acceptors with the operations that wait.
 *
 * Every method says what the real one has to come to. Where the kernel decides something that nobody can
 * know, above all how many messages its queue takes, the model learns it from what the real operation came
 * to, and from then on reckons with it.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { MessageFlag } from 'seqpacket';

export interface Message {
  readonly data: Buffer;
  /** The files whose descriptors travel with it, by their number in the test. */
  readonly files: readonly number[];
}

/** What a call has come to: `{ value }`, or `{ error }` as the test describes errors, `'sendmsg EPIPE'`. */
export type Outcome = { readonly value: unknown } | { readonly error: string };

export function failed(error: string): Outcome {
  return { error };
}

function isError(outcome: Outcome | undefined, error: string): boolean {
  return outcome !== undefined && 'error' in outcome && outcome.error === error;
}

/** Bytes, short enough for the report of a failure. */
export function digest(bytes: Buffer): string {
  if (bytes.length <= 16) return bytes.toString('hex');
  return `${bytes.length} bytes ${createHash('sha1').update(bytes).digest('hex').slice(0, 12)}`;
}

/** The kernel's limits, measured by the test. */
export interface Limits {
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
  readonly leastSendBuffer: number;
  readonly leastReceiveBuffer: number;
  /** Whether one empty message that was never read makes a close a reset; not where Linux knows out-of-band data. */
  readonly resetsForEmpty: boolean;
}

/** What the kernel charges the sender for a message in the queue is its own secret; these are bounds. */
const leastCharge = ({ data }: Message): number => data.length + 256;
const mostCharge = ({ data }: Message): number => 2 * data.length + 2048;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** A socket in the kernel. It closes when the last descriptor for it is closed. */
export class KernelSocket {
  state: 'unconnected' | 'connected' | 'listening' | 'dead' = 'unconnected';
  name = '';
  peer: KernelSocket | undefined;
  descriptors = 0;
  readonly queue: Message[] = [];
  /** Of a listener: the connections that wait to be accepted, and how many more than one may. */
  readonly backlog: KernelSocket[] = [];
  backlogSize = 0;
  /** The next send or receive meets ECONNRESET, once. */
  reset = false;
  receivesNoMore = false;
  sendsNoMore = false;
  /** It was this end that shut down sending, not the other that shut down receiving. */
  endedSending = false;
  sendBuffer: number;
  receiveBuffer: number;

  constructor(limits: Limits) {
    this.sendBuffer = limits.sendBuffer;
    this.receiveBuffer = limits.receiveBuffer;
  }

  get isReadable(): boolean {
    return this.queue.length > 0 || this.reset || this.receivesNoMore;
  }

  /** Whether the send queue has room for a message; undefined if only the kernel knows. */
  get hasRoom(): boolean | undefined {
    const inFlight = this.peer?.queue ?? [];
    if (sum(inFlight.map(mostCharge)) < this.sendBuffer) return true;
    return sum(inFlight.map(leastCharge)) >= this.sendBuffer ? false : undefined;
  }

  /** Whether there is surely room for all of these. */
  hasRoomFor(messages: readonly Message[]): boolean {
    return sum([...(this.peer?.queue ?? []), ...messages].map(mostCharge)) < this.sendBuffer;
  }

  /** Whether poll(2) surely reports it as writable: three quarters of the send buffer are free, or it is all over. */
  get isSurelyWritable(): boolean {
    if (this.reset || (this.receivesNoMore && this.sendsNoMore)) return true;
    return 4 * (1 + sum((this.peer?.queue ?? []).map(mostCharge))) <= this.sendBuffer;
  }

  shutdown(receive: boolean, send: boolean): void {
    this.receivesNoMore ||= receive;
    this.sendsNoMore ||= send;
    this.endedSending ||= send;
    if (this.peer === undefined || this.peer.state === 'dead') return;
    this.peer.receivesNoMore ||= send;
    this.peer.sendsNoMore ||= receive;
  }
}

/** A path in the file system that is no socket, and so in the way. */
export const PLAIN_FILE = 'plain file';

/** All sockets and their names. */
export class Kernel {
  /** A socket file outlives its socket; a name in the abstract namespace does not. */
  readonly names = new Map<string, KernelSocket | typeof PLAIN_FILE>();

  constructor(
    readonly limits: Limits,
    /** Whether the directory of this path exists. */
    readonly hasDirectory: (path: string) => boolean,
  ) {}

  socket(): KernelSocket {
    return new KernelSocket(this.limits);
  }

  pair(): [KernelSocket, KernelSocket] {
    const ends: [KernelSocket, KernelSocket] = [this.socket(), this.socket()];
    this.#join(...ends);
    return ends;
  }

  bind(socket: KernelSocket, path: string): string | undefined {
    if (isAbstract(path)) {
      if (socket.name !== '') return 'EINVAL';
      if (this.names.has(path)) return 'EADDRINUSE';
    } else {
      if (!this.hasDirectory(path)) return 'ENOENT';
      if (this.names.has(path)) return 'EADDRINUSE';
      if (socket.name !== '') return 'EINVAL';
    }
    socket.name = path;
    this.names.set(path, socket);
    return undefined;
  }

  listen(socket: KernelSocket, backlog: number): string | undefined {
    if (socket.name === '' || socket.state === 'connected') return 'EINVAL';
    socket.state = 'listening';
    socket.backlogSize = backlog;
    return undefined;
  }

  /** Why a connect fails now; undefined if it succeeds. */
  connectError(socket: KernelSocket, path: string): string | undefined {
    const target = this.names.get(path);
    if (target === undefined) return isAbstract(path) ? 'ECONNREFUSED' : 'ENOENT';
    if (target === PLAIN_FILE || target.state !== 'listening' || target.receivesNoMore) return 'ECONNREFUSED';
    if (socket.state === 'connected') return 'EISCONN';
    return target.backlog.length > target.backlogSize ? 'EAGAIN' : undefined;
  }

  connect(socket: KernelSocket, path: string): string | undefined {
    const error = this.connectError(socket, path);
    if (error !== undefined) return error;
    const listener = this.names.get(path) as KernelSocket;
    const accepted = this.socket();
    accepted.name = listener.name;
    this.#join(socket, accepted);
    listener.backlog.push(accepted);
    return undefined;
  }

  #join(a: KernelSocket, b: KernelSocket): void {
    a.state = b.state = 'connected';
    a.peer = b;
    b.peer = a;
  }

  /** One descriptor less. */
  close(socket: KernelSocket): void {
    socket.descriptors--;
    if (socket.descriptors === 0) this.#end(socket, false);
  }

  #end(socket: KernelSocket, unaccepted: boolean): void {
    const { peer } = socket;
    if (peer !== undefined && peer.state !== 'dead') {
      peer.receivesNoMore = peer.sendsNoMore = true;
      const [first, second] = socket.queue;
      const isUnread = first !== undefined && (first.data.length > 0 || this.limits.resetsForEmpty);
      if (unaccepted || isUnread || second !== undefined) peer.reset = true;
    }
    socket.state = 'dead';
    socket.queue.length = 0;
    for (const each of socket.backlog) this.#end(each, true);
    if (isAbstract(socket.name) && this.names.get(socket.name) === socket) this.names.delete(socket.name);
  }
}

export function isAbstract(path: string): boolean {
  return path.startsWith('\0');
}

/** What became of one promise. */
export class Ticket {
  outcome: Outcome | undefined;
  /** What it was fulfilled with. */
  result: unknown;
  /** The how-manieth of all promises it was to settle. */
  place = 0;
  /** What it has to come to, if that is known from the start; the event loop may have to turn first. */
  expected: Outcome | undefined;

  expect(outcome: Outcome): void {
    this.expected = outcome;
    this.check();
  }

  check(): void {
    if (this.expected !== undefined && this.outcome !== undefined) {
      assert.deepEqual(this.outcome, this.expected);
    }
  }
}

/** An operation that was called. */
export abstract class Operation {
  /** The files of which it owns duplicates while it waits. */
  held: readonly number[] = [];

  constructor(
    readonly syscall: string,
    readonly ticket: Ticket,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** What it comes to, and its effects; undefined if it has to wait. It has settled: the model may learn from that. */
  abstract attempt(): Outcome | undefined;

  /** Whether it has to settle once the event loop has turned, being the first in its queue. */
  abstract get isOwed(): boolean;

  /** Whether it has to settle as soon as it is the first in its queue, whatever that comes to. */
  get isImpatient(): boolean {
    return false;
  }

  /** Whether it is refused with EAGAIN where it would have to wait. */
  get mayNotWait(): boolean {
    return false;
  }

  /** Whether it was refused, because one before it waits. */
  get isRefused(): boolean {
    return this.mayNotWait && isError(this.ticket.outcome, `${this.syscall} EAGAIN${this.suffix}`);
  }

  /** Lets the model catch up by one step of an operation that takes several. */
  advance(): boolean {
    return false;
  }

  /** The error if it is cancelled. */
  get cancellation(): string {
    return `${this.syscall} ECANCELED${this.suffix}`;
  }

  /** What an error tells of work that was done before. */
  get suffix(): string {
    return '';
  }

  /** Called when it begins to wait. */
  hold(): void {}
}

/** The operations of one kind on one endpoint: served, and settling, in their order. */
export class OperationQueue {
  waiting: Operation[] = [];
  #place = 0;

  start(operation: Operation): void {
    if (operation.ticket.outcome === undefined) {
      // It has to wait, or it has used up the turn of the event loop: then it is owed.
      operation.hold();
      this.waiting.push(operation);
      while (this.serveFirst());
      return;
    }
    if (this.waiting.length > 0 && operation.isRefused) return;
    assert.equal(this.waiting.length, 0, `${operation.syscall} settled ahead of those that wait`);
    const expected = operation.attempt();
    assert.deepEqual(operation.ticket.outcome, expected ?? 'has to wait');
    this.#settled(operation);
  }

  /** Takes out the first if it has settled and the model can say why. */
  serveFirst(): boolean {
    this.#removeRefused();
    const [first] = this.waiting;
    if (first === undefined) return false;
    if (first.advance()) return true;
    if (first.ticket.outcome === undefined) return false;
    const expected = first.attempt();
    if (expected === undefined) return false;
    assert.deepEqual(first.ticket.outcome, expected);
    this.waiting.shift();
    this.#settled(first);
    return true;
  }

  /** Takes out those that have been done, and lets the model catch up with one that was done in part. */
  serveSent(): void {
    for (let [first] = this.waiting; first !== undefined; [first] = this.waiting) {
      if (first.advance()) continue;
      const { outcome } = first.ticket;
      // Only sends that found the direction shut down come after the shutdown.
      const isAfter =
        outcome !== undefined && 'error' in outcome && outcome.error.startsWith('sendmsg EPIPE');
      if (outcome === undefined || isAfter || !this.serveFirst()) return;
    }
  }

  get owed(): Operation | undefined {
    const [first] = this.waiting;
    if (first?.isOwed || first?.isImpatient) return first;
    return this.waiting.find((each) => each.mayNotWait);
  }

  #removeRefused(): void {
    this.waiting = this.waiting.filter((each, index) => index === 0 || !each.isRefused);
  }

  cancel(): void {
    this.#removeRefused();
    for (const operation of this.waiting) {
      assert.deepEqual(operation.ticket.outcome, failed(operation.cancellation));
      this.#settled(operation);
    }
    this.waiting = [];
  }

  abort(signal: AbortSignal): void {
    this.#removeRefused();
    for (const each of this.waiting.filter((operation) => operation.signal === signal)) {
      assert.deepEqual(each.ticket.outcome, failed(`ABORT_ERR: ${signal.reason}${each.suffix}`));
    }
    this.waiting = this.waiting.filter((each) => each.signal !== signal);
  }

  #settled({ syscall, ticket }: Operation): void {
    assert.ok(ticket.place > this.#place, `${syscall} settled ahead of an earlier one`);
    this.#place = ticket.place;
  }
}

interface Session {
  readonly kernel: KernelSocket;
  /** Messages that have left the kernel's queue, but that nobody has received yet. */
  readonly held: Message[];
  /** The kernel's ECONNRESET was met; it is reported behind the messages. */
  wasReset: boolean;
  /** Who met it was a receive, but a send waited as well: the event loop decides which of them is first. */
  wasContested: boolean;
  /** This socket has shut down sending. */
  endedSending: boolean;
  emptyMessages: 'eof' | 'deliver';
  /** How long the next message may be: where that is much, receiveMany takes one by one. */
  expected: number;
  /** How many messages receiveMany takes one by one, since descriptors came. */
  oneByOne: number;
  readonly counters: {
    messagesSent: number;
    bytesSent: number;
    messagesReceived: number;
    bytesReceived: number;
  };
}

/** A SeqpacketSocket. Methods return the error that the real one throws, if any. */
export class SocketModel {
  session: Session | undefined;
  readonly receives = new OperationQueue();
  readonly sends = new OperationQueue();
  readonly connects = new OperationQueue();

  constructor(readonly kernel: Kernel) {}

  get queues(): readonly OperationQueue[] {
    return [this.connects, this.receives, this.sends];
  }

  /** Whether a receiveMany waits for which an empty message is the end: what it has fetched behind it stays here. */
  get fetchesBehindEnd(): boolean {
    const fetches = this.receives.waiting.some((each) => each instanceof ReceiveMany);
    return fetches && this.session?.emptyMessages === 'eof';
  }

  get localPath(): string {
    return this.session?.kernel.name ?? '';
  }

  get remotePath(): string {
    return this.session?.kernel.peer?.name ?? '';
  }

  get bytesReadable(): number {
    const { kernel, held } = this.session!;
    return sum([...held, ...kernel.queue].map(({ data }) => data.length));
  }

  begin(kernel: KernelSocket): void {
    kernel.descriptors++;
    this.session = {
      kernel,
      held: [],
      wasReset: false,
      wasContested: false,
      endedSending: false,
      emptyMessages: 'eof',
      expected: 0,
      oneByOne: 0,
      counters: { messagesSent: 0, bytesSent: 0, messagesReceived: 0, bytesReceived: 0 },
    };
  }

  open(): string | undefined {
    if (this.session !== undefined) return 'socket EALREADY';
    this.begin(this.kernel.socket());
    return undefined;
  }

  bind(path: string): string | undefined {
    const error = this.session === undefined ? 'EBADF' : this.kernel.bind(this.session.kernel, path);
    return error && `bind ${error}`;
  }

  shutdown(what: 'receive' | 'send' | 'both'): string | undefined {
    if (this.session === undefined) return 'shutdown EBADF';
    // Sends that were only put off go out before.
    this.sends.serveSent();
    this.session.kernel.shutdown(what !== 'send', what !== 'receive');
    this.session.endedSending ||= what !== 'receive';
    // What waits is tried at once, whatever poll(2) would say.
    while (this.receives.serveFirst());
    while (this.sends.serveFirst());
    return undefined;
  }

  cancel(): void {
    for (const queue of this.queues) queue.cancel();
  }

  close(): void {
    const { session } = this;
    if (session === undefined) return;
    this.cancel();
    this.session = undefined;
    this.kernel.close(session.kernel);
  }

  /** Returns the socket whose descriptor is given up, or the error. */
  release(): KernelSocket | string {
    if (this.session === undefined) return 'release EBADF';
    const { kernel, held } = this.session;
    if (held.length > 0) return 'ERR_INVALID_STATE';
    this.cancel();
    this.session = undefined;
    kernel.descriptors--;
    return kernel;
  }
}

export class Connect extends Operation {
  constructor(
    readonly socket: SocketModel,
    readonly path: string,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('connect', ticket, signal);
  }

  attempt(): Outcome | undefined {
    const error = this.socket.kernel.connect(this.socket.session!.kernel, this.path);
    if (error === 'EAGAIN') return undefined;
    return error === undefined ? { value: undefined } : failed(`connect ${error}`);
  }

  get isOwed(): boolean {
    return this.socket.kernel.connectError(this.socket.session!.kernel, this.path) !== 'EAGAIN';
  }
}

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
    this.session.wasContested = this.socket.sends.waiting.length > 0;
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
    /** Undefined for a receive that is told nothing of descriptors. */
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
      if (!isPeek) queue.shift();
      return failed('recvmsg EOF');
    }
    if (data.length > this.room && !this.has(MessageFlag.truncate)) {
      if (!isPeek && queue !== held) held.push(kernel.queue.shift() as Message);
      return failed(`recvmsg EMSGSIZE ${data.length}`);
    }
    if (!isPeek) {
      queue.shift();
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

  attempt(): Outcome | undefined {
    const { kernel, held } = this.session;
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
    const end = held.findIndex((message) => this.isEnd(message));
    const messages = held.splice(0, Math.min(end === -1 ? this.max : end, this.max));
    for (const message of messages) this.count(message);
    return { value: messages.map(({ data }) => digest(data)) };
  }

  #fetch(): void {
    const { kernel, held, expected, oneByOne, emptyMessages } = this.session;
    const isOne = expected > LONGEST_OF_BATCH || oneByOne > 0;
    const fetched = kernel.queue.splice(0, isOne ? 1 : this.max);
    const isPlain = fetched.every(({ data, files }) => data.length > 0 && files.length === 0);
    const isTaken = isOne ? fetched.some((message) => !this.isEnd(message)) : isPlain && fetched.length > 0;
    if (!isOne || isTaken) {
      const hadDescriptors = fetched.some(({ files }) => files.length > 0);
      if (hadDescriptors && emptyMessages === 'eof') this.session.oneByOne = 64;
      else if (isOne && oneByOne > 0) this.session.oneByOne--;
    }
    if (isTaken) this.expect(Math.max(...fetched.map(({ data }) => data.length)));
    held.push(...fetched);
  }

  get #count(): number {
    const { outcome } = this.ticket;
    return outcome !== undefined && 'value' in outcome ? (outcome.value as string[]).length : 0;
  }
}

/** A descriptor number that is not open, among those to be sent. */
export const NOT_OPEN = -1;

/** What all kinds of sending have in common. */
export abstract class Sending extends Operation {
  constructor(
    readonly socket: SocketModel,
    readonly messages: readonly Message[],
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('sendmsg', ticket, signal);
  }

  /** Sends a message; the error; or undefined if it has to wait. */
  protected send(message: Message): 'sent' | string | undefined {
    const session = this.socket.session as Session;
    const { kernel, counters } = session;
    const { outcome } = this.ticket;
    const isSaid = (error: string) =>
      outcome !== undefined && 'error' in outcome && outcome.error.startsWith(error);
    const { data } = message;
    if (kernel.reset) {
      kernel.reset = false;
      session.wasReset = true;
      return 'ECONNRESET';
    }
    if (session.wasContested && isSaid('sendmsg ECONNRESET')) {
      session.wasContested = false;
      return 'ECONNRESET';
    }
    if (kernel.state !== 'connected') return 'ENOTCONN';
    if (message.files.includes(NOT_OPEN)) return 'EBADF';
    if (data.length > kernel.sendBuffer - 32) return `EMSGSIZE ${data.length}`;
    if (kernel.sendsNoMore) return 'EPIPE';
    const { hasRoom } = kernel;
    if (hasRoom === false || (hasRoom === undefined && isSaid('sendmsg EAGAIN'))) return undefined;
    const peer = kernel.peer as KernelSocket;
    if (peer.receivesNoMore) return 'EPIPE';
    peer.queue.push(message);
    counters.messagesSent++;
    counters.bytesSent += data.length;
    return 'sent';
  }

  get isOwed(): boolean {
    const { isSurelyWritable, endedSending } = (this.socket.session as Session).kernel;
    return isSurelyWritable || endedSending;
  }
}

/** One message: send, sendWithFds, trySend. */
export class Send extends Sending {
  readonly #isBroken: boolean;
  #hasWaited = false;

  constructor(
    socket: SocketModel,
    readonly message: Message,
    readonly flags: number,
    ticket: Ticket,
    signal?: AbortSignal,
  ) {
    super(socket, [message], ticket, signal);
    this.#isBroken = message.files.includes(NOT_OPEN);
  }

  attempt(): Outcome | undefined {
    const { outcome } = this.ticket;
    // Descriptors are duplicated when the operation begins to wait, and may fail then.
    if (this.#isBroken && isError(outcome, 'sendmsg EBADF')) return outcome;
    // Whether it was tried before there was room again, behind others, is for the event loop to say.
    if (this.#hasWaited && this.mayNotWait && isError(outcome, 'sendmsg EAGAIN')) return outcome;
    const result = this.send(this.message);
    if (result === 'sent') return { value: this.message.data.length };
    if (result !== undefined) return failed(`sendmsg ${result}`);
    return this.mayNotWait && isError(outcome, 'sendmsg EAGAIN') ? outcome : undefined;
  }

  override get mayNotWait(): boolean {
    return (this.flags & MessageFlag.dontWait) !== 0;
  }

  override get isImpatient(): boolean {
    return this.mayNotWait || this.#isBroken;
  }

  override hold(): void {
    this.#hasWaited = true;
    if (!this.#isBroken) this.held = this.message.files;
  }
}

/** sendMany, which may have sent some while it waits for room for the others. */
export class SendMany extends Sending {
  #sent = 0;

  /** @param totalSent how many messages the socket says were sent through it */
  constructor(
    socket: SocketModel,
    messages: readonly Message[],
    readonly totalSent: () => number,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super(socket, messages, ticket, signal);
  }

  attempt(): Outcome | undefined {
    while (this.#sent < this.messages.length) {
      const result = this.send(this.messages[this.#sent] as Message);
      if (result === undefined) return undefined;
      if (result !== 'sent') return failed(`sendmsg ${result}${this.suffix}`);
      this.#sent++;
    }
    return { value: this.#sent };
  }

  override advance(): boolean {
    if (this.#sent >= this.#sentInReality) return false;
    assert.equal(this.send(this.messages[this.#sent] as Message), 'sent');
    this.#sent++;
    return true;
  }

  get #sentInReality(): number {
    const { outcome } = this.ticket;
    if (outcome === undefined) {
      const { messagesSent } = (this.socket.session as Session).counters;
      return this.#sent + this.totalSent() - messagesSent;
    }
    return 'value' in outcome ? this.messages.length : Number(/ after (\d+)$/.exec(outcome.error)?.[1]);
  }

  override get suffix(): string {
    return ` after ${this.#sent}`;
  }

  override get isImpatient(): boolean {
    return this.#sent === this.messages.length;
  }
}

/** wait */
abstract class Waiting extends Operation {
  constructor(
    readonly socket: SocketModel,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('poll', ticket, signal);
  }

  /** Whether it is ready now; undefined if only the kernel knows. */
  protected abstract get isReady(): boolean | undefined;

  attempt(): Outcome | undefined {
    const ready = { value: undefined };
    if (this.isReady !== undefined) return this.isReady ? ready : undefined;
    return this.ticket.outcome;
  }

  protected get session(): Session {
    return this.socket.session as Session;
  }

  /** Another owner of the same socket may have taken what it was ready for. */
  protected get isShared(): boolean {
    return this.session.kernel.descriptors > 1;
  }
}

export class WaitForReading extends Waiting {
  protected get isReady(): boolean | undefined {
    return this.isOwed || (this.isShared ? undefined : false);
  }

  get isOwed(): boolean {
    const { kernel, held } = this.session;
    return held.length > 0 || kernel.state !== 'connected' || kernel.isReadable;
  }
}

export class WaitForWriting extends Waiting {
  protected get isReady(): boolean | undefined {
    const { hasRoom } = this.session.kernel;
    return this.isOwed || hasRoom || (this.isShared ? undefined : hasRoom);
  }

  get isOwed(): boolean {
    const { kernel, endedSending } = this.session;
    return endedSending || kernel.state !== 'connected' || kernel.isSurelyWritable;
  }
}

/** A SeqpacketAcceptor. Methods return the error that the real one throws, if any. */
export class AcceptorModel {
  socket: KernelSocket | undefined;
  readonly accepts = new OperationQueue();
  emptyMessages: 'eof' | 'deliver' = 'eof';
  reportsAborted = false;
  /** The file that it removes when it is closed. */
  #file: string | undefined;

  constructor(readonly kernel: Kernel) {}

  get localPath(): string {
    return this.socket?.name ?? '';
  }

  begin(socket: KernelSocket): void {
    socket.descriptors++;
    this.socket = socket;
    this.emptyMessages = 'eof';
    this.reportsAborted = false;
  }

  open(): string | undefined {
    if (this.socket !== undefined) return 'socket EALREADY';
    this.begin(this.kernel.socket());
    return undefined;
  }

  bind(path: string): string | undefined {
    const error = this.socket === undefined ? 'EBADF' : this.kernel.bind(this.socket, path);
    return error && `bind ${error}`;
  }

  listen(backlog: number): string | undefined {
    const error = this.socket === undefined ? 'EBADF' : this.kernel.listen(this.socket, backlog);
    return error && `listen ${error}`;
  }

  /** What `listen(path, …)` does on a fresh one. */
  listenAt(path: string, backlog: number, reclaim: boolean): string | undefined {
    this.open();
    let error = this.bind(path);
    if (error === 'bind EADDRINUSE' && reclaim && !isAbstract(path) && this.#reclaims(path)) {
      error = this.bind(path);
    }
    if (error !== undefined) {
      this.close();
      return error;
    }
    if (!isAbstract(path)) this.#file = path;
    return this.listen(backlog);
  }

  /** Whether the name of a dead socket is free now; a living one, listening or not, keeps it and notices nothing. */
  #reclaims(path: string): boolean {
    const holder = this.kernel.names.get(path);
    if (holder === PLAIN_FILE || holder?.state !== 'dead') return false;
    this.kernel.names.delete(path);
    return true;
  }

  close(): void {
    const { socket } = this;
    if (socket === undefined) return;
    const file = this.#file;
    if (file !== undefined && this.kernel.names.get(file) === socket) this.kernel.names.delete(file);
    this.#file = undefined;
    this.accepts.cancel();
    this.socket = undefined;
    this.kernel.close(socket);
  }

  /** Returns the socket whose descriptor is given up, or the error. */
  release(): KernelSocket | string {
    const { socket } = this;
    if (socket === undefined) return 'release EBADF';
    this.accepts.cancel();
    this.socket = this.#file = undefined;
    socket.descriptors--;
    return socket;
  }
}

export class Accept extends Operation {
  /** @param place what to do with the socket that was accepted */
  constructor(
    readonly acceptor: AcceptorModel,
    readonly accepted: (socket: KernelSocket, ticket: Ticket) => void,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('accept4', ticket, signal);
  }

  attempt(): Outcome | undefined {
    const { state, backlog } = this.acceptor.socket!;
    if (state !== 'listening') return failed('accept4 EINVAL');
    const socket = backlog.shift();
    if (socket === undefined) return undefined;
    this.accepted(socket, this.ticket);
    return { value: 'a socket' };
  }

  get isOwed(): boolean {
    const { state, backlog } = this.acceptor.socket!;
    return state !== 'listening' || backlog.length > 0;
  }
}
