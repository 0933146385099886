/**
 * Random sequences of every operation, each compared with a model (support/model.ts): what it returns or throws,
 * which promises settle, with what and in which order, what every socket says of itself, which descriptors
 * this process has open, and which socket files there are.
 *
 *   SEQPACKET_MODEL_STEPS=200000   goes on for at least so many steps; a second and a half by default
 *   SEQPACKET_SEED=…               repeats a run
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import {
  type FdSource,
  FileDescriptor,
  listen,
  type Message,
  MessageFlag,
  type ReceivedWithFds,
  SeqpacketAcceptor,
  type SeqpacketError,
  SeqpacketSocket,
} from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import {
  Accept,
  AcceptorModel,
  Connect,
  digest,
  failed,
  isAbstract,
  Kernel,
  KernelSocket,
  type Limits,
  NOT_OPEN,
  type Operation,
  type Outcome,
  PLAIN_FILE,
  Receive,
  ReceiveMany,
  Send,
  Sending,
  SendMany,
  SocketModel,
  Ticket,
  WaitForReading,
  WaitForWriting,
} from '../support/model.js';
import { abstractName } from '../support/peers.js';
import { scratchDirectory } from '../support/scratch.js';

const SOCKETS = 5;
const ACCEPTORS = 2;
const DESCRIPTORS = 6;
const FILES = 4;

const directory = scratchDirectory();
const files = Array.from({ length: FILES }, (_, index) => join(directory, `file-${index}`));
for (const file of files) writeFileSync(file, '');
const inodes = files.map((file) => statSync(file).ino);

const paths = [join(directory, 'a'), join(directory, 'b'), abstractName(), join(directory, 'missing', 'c')];
const hasDirectory = (path: string) => path !== paths[3];

const limits = await measureLimits();

async function measureLimits(): Promise<Limits> {
  const [a, b] = SeqpacketSocket.pair();
  const sendBuffer = a.getOption('sendBufferSize');
  const receiveBuffer = a.getOption('receiveBufferSize');
  a.setOption('sendBufferSize', 0);
  a.setOption('receiveBufferSize', 0);
  const leastSendBuffer = a.getOption('sendBufferSize');
  const leastReceiveBuffer = a.getOption('receiveBufferSize');
  await b.send(Buffer.alloc(0));
  a.close();
  const end = await b.receive(Buffer.alloc(0)).catch(described);
  b.close();
  const resetsForEmpty = end === 'recvmsg ECONNRESET';
  return { sendBuffer, receiveBuffer, leastSendBuffer, leastReceiveBuffer, resetsForEmpty };
}

/** How long an operation may take that has to settle. */
let patience = 5000;

let steps = 0;

/** An error in few words: `'sendmsg EPIPE'`. */
function described(error: unknown): string {
  if (!(error instanceof Error)) return `not an error: ${error}`;
  const { code, syscall, errno, messageSize, messagesSent, cause } = error as SeqpacketError & {
    messagesSent?: number;
  };
  const suffix = messagesSent === undefined ? '' : ` after ${messagesSent}`;
  if (code === 'ABORT_ERR') return `${code}: ${cause}${suffix}`;
  if (syscall === undefined) return code ?? String(error);
  const expected = code === 'EOF' ? -4095 : -constants.errno[code as keyof typeof constants.errno];
  const words = [syscall, code];
  if (messageSize !== undefined) words.push(String(messageSize));
  if (errno !== expected) words.push(`(wrong errno: ${errno})`);
  return words.join(' ') + suffix;
}

/** What a call returns or throws. */
function outcomeOf(call: () => unknown): Outcome {
  try {
    return { value: call() };
  } catch (error) {
    return failed(described(error));
  }
}

/** What a call comes to that returns nothing. */
function done(error: string | undefined): Outcome {
  return error === undefined ? { value: undefined } : failed(error);
}

/** Lets everything happen that does not need the event loop: promises that have settled tell so. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

interface Slot<Real, Model> {
  real: Real;
  model: Model;
}

/** A descriptor that is the test's own: for one of the files, for a socket, or closed. */
interface OwnDescriptor {
  real: FileDescriptor;
  content: number | KernelSocket | undefined;
}

/** The real things side by side with their models. */
class World {
  readonly kernel = new Kernel(limits, hasDirectory);
  readonly sockets: Slot<SeqpacketSocket, SocketModel>[] = [];
  readonly acceptors: Slot<SeqpacketAcceptor, AcceptorModel>[] = [];
  readonly descriptors: OwnDescriptor[] = [];
  controllers: AbortController[] = [new AbortController()];
  /** Descriptors that are not ours, when they were last looked at. */
  #others = -1;
  readonly #socketsBefore = countSockets(openDescriptors());
  /** Sockets and descriptors that were promised and not yet taken. */
  readonly #results = new Set<Ticket>();
  /** Some of the messages that the library has made buffers for, and what was in them. */
  readonly #made: { data: Buffer; digest: string }[] = [];
  /** Sockets that were accepted and have no place; closed once the model has caught up with what came before. */
  #unwanted: { real: SeqpacketSocket; model: SocketModel }[] = [];
  #settled = 0;
  /** Those that have not settled yet, and some that have. */
  #tickets: Ticket[] = [];
  #messages = 0;

  constructor() {
    for (let i = 0; i < SOCKETS; i++) {
      this.sockets.push({ real: new SeqpacketSocket(), model: new SocketModel(this.kernel) });
    }
    for (let i = 0; i < ACCEPTORS; i++) {
      this.acceptors.push({ real: new SeqpacketAcceptor(), model: new AcceptorModel(this.kernel) });
    }
    this.connectPair(0, 1, true);
    this.acceptors[0]!.real = listen(paths[0]!, { backlog: 0, emptyMessages: 'deliver' });
    this.acceptors[0]!.model.listenAt(paths[0]!, 0, false);
    this.acceptors[0]!.model.emptyMessages = 'deliver';
    this.keep({ real: FileDescriptor.adopt(openSync(files[0]!, 'r')), content: 0 });
  }

  /** Puts two connected sockets in place of two others. */
  connectPair(one: number, other: number, areSmall: boolean): void {
    const reals = SeqpacketSocket.pair();
    const kernels = this.kernel.pair();
    for (const [end, index] of [one, other].entries()) {
      const slot = this.sockets[index]!;
      slot.real = reals[end]!;
      slot.model = new SocketModel(this.kernel);
      slot.model.begin(kernels[end]!);
      if (!areSmall) continue;
      slot.real.setOption('sendBufferSize', 0);
      kernels[end]!.sendBuffer = limits.leastSendBuffer;
    }
  }

  /** Adds a descriptor to the test's own, or closes it if there is no place for it. */
  keep(descriptor: OwnDescriptor): void {
    const { descriptors } = this;
    const free = descriptors.length < DESCRIPTORS ? descriptors.length : descriptors.findIndex(isClosed);
    if (free === -1) this.closeOwn(descriptor);
    else descriptors[free] = descriptor;
  }

  closeOwn(descriptor: OwnDescriptor): void {
    descriptor.real.close();
    if (descriptor.content instanceof KernelSocket) this.kernel.close(descriptor.content);
    descriptor.content = undefined;
  }

  /** Puts a socket that was accepted into the first place that is free, if there is one. */
  accepted(model: AcceptorModel, kernel: KernelSocket, ticket: Ticket): void {
    const real = ticket.result as SeqpacketSocket;
    this.#results.delete(ticket);
    const slot = this.sockets.find((each) => each.model.session === undefined);
    const accepted = slot?.model ?? new SocketModel(this.kernel);
    accepted.begin(kernel);
    accepted.session!.emptyMessages = model.emptyMessages;
    if (slot !== undefined) {
      slot.real.close();
      slot.real = real;
      return;
    }
    this.#unwanted.push({ real, model: accepted });
  }

  /** Whether there were any. */
  async closeUnwanted(): Promise<boolean> {
    const unwanted = this.#unwanted;
    this.#unwanted = [];
    for (const { real, model } of unwanted) {
      real.close();
      await drained();
      model.close();
    }
    return unwanted.length > 0;
  }

  /** Whether a socket or acceptor has this socket already. */
  isTaken(kernel: KernelSocket): boolean {
    return (
      this.sockets.some(({ model }) => model.session?.kernel === kernel) ||
      this.acceptors.some(({ model }) => model.socket === kernel)
    );
  }

  /** The socket at the other end, if the test has it. */
  peerOf(model: SocketModel): SocketModel | undefined {
    const peer = model.session?.kernel.peer;
    return peer && this.sockets.find((each) => each.model.session?.kernel === peer)?.model;
  }

  /**
   * Whether a receiveMany might meet an empty message that it takes for the end while messages behind it come
   * one by one: nobody could tell how many of them it has fetched.
   */
  isUntellable(model: SocketModel, lengths: readonly number[]): boolean {
    const { session } = model;
    if (session === undefined || !lengths.includes(0)) return false;
    if (!this.peerOf(model)?.fetchesBehindEnd) return false;
    const messages = lengths.map((each) => ({ data: Buffer.alloc(each), files: [] }));
    return model.sends.waiting.length > 0 || !session.kernel.hasRoomFor(messages);
  }

  /** The next message: no two that are near each other are alike. */
  message(length: number): Buffer {
    const number = ++this.#messages;
    const data = Buffer.alloc(length);
    for (let i = 0; i < length; i++) data[i] = (number * 31 + i * (1 + (number % 7))) & 0xff;
    return data;
  }

  /** Makes a call that is over when it returns, and compares. */
  async agree(real: () => unknown, model: () => Outcome): Promise<void> {
    const outcome = outcomeOf(real);
    await drained();
    assert.deepEqual(outcome, model());
  }

  /** Makes a call that returns a promise, and notes what becomes of it. */
  async start(
    call: () => Promise<unknown>,
    value: (result: unknown) => unknown = (result) => result,
  ): Promise<Ticket> {
    const ticket = new Ticket();
    this.#tickets.push(ticket);
    const settle = (outcome: Outcome) => {
      ticket.place = ++this.#settled;
      ticket.outcome = outcome;
      ticket.check();
    };
    call().then(
      (result) => {
        ticket.result = result;
        if (holdsDescriptors(result)) this.#results.add(ticket);
        settle(outcomeOf(() => value(result)));
      },
      (error) => settle(failed(described(error))),
    );
    await drained();
    return ticket;
  }

  /** Notes a buffer that the library has made: nobody else may write to it. */
  noteMade(data: Buffer): string {
    const made = { data, digest: digest(data) };
    if (this.#made.length < 100) this.#made.push(made);
    return made.digest;
  }

  /** Keeps the descriptors that a receive was fulfilled with. */
  keepReceived(ticket: Ticket): void {
    if (ticket.result instanceof SeqpacketSocket || !this.#results.delete(ticket)) return;
    const { fds } = ticket.result as ReceivedWithFds;
    for (const real of fds) this.keep({ real, content: inodes.indexOf(fstatSync(real.fd).ino) });
  }

  /** Lets the event loop turn until all that can settle has settled. */
  async turn(): Promise<void> {
    const deadline = performance.now() + patience;
    for (;;) {
      await this.#quiet();
      this.#tickets = this.#tickets.filter((each) => each.outcome === undefined);
      this.#serve();
      if (await this.closeUnwanted()) continue;
      const owed = this.#queues().find((queue) => queue.owed)?.owed;
      if (owed === undefined && !this.#tickets.some((each) => each.expected !== undefined)) return;
      if (performance.now() > deadline)
        assert.fail(`${owed?.syscall ?? 'a refusal'} has to settle, but waits`);
      // A connect tries again only after a while.
      if (owed instanceof Connect) await delay(1);
    }
  }

  async #quiet(): Promise<void> {
    for (let settled = -1; settled !== this.#settled; ) {
      settled = this.#settled;
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    }
  }

  #queues() {
    return [
      ...this.sockets.flatMap(({ model }) => model.queues),
      ...this.acceptors.map(({ model }) => model.accepts),
    ];
  }

  /** Lets the model catch up with what has settled. */
  #serve(): void {
    for (let goesOn = true; goesOn; ) {
      goesOn = false;
      for (const { model } of this.acceptors) while (model.accepts.serveFirst()) goesOn = true;
      for (const { model } of this.sockets) while (model.receives.serveFirst()) goesOn = true;
      // One by one: a receive that does not wait may have come between two of them.
      goesOn ||= this.sockets.some(({ model }) => model.sends.serveFirst());
      goesOn ||= this.#connectsBySettling().some((queue) => queue.serveFirst());
    }
    this.keepAllReceived();
  }

  keepAllReceived(): void {
    for (const ticket of this.#results) this.keepReceived(ticket);
  }

  isWaitedWith(signal: AbortSignal): boolean {
    return this.#queues().some(({ waiting }) => waiting.some((each) => each.signal === signal));
  }

  abort(signal: AbortSignal): void {
    for (const queue of this.#queues()) queue.abort(signal);
  }

  /** Who connected first is first in the backlog. */
  #connectsBySettling() {
    const place = (operation: Operation | undefined) => operation?.ticket.place || Number.POSITIVE_INFINITY;
    return this.sockets
      .map(({ model }) => model.connects)
      .sort((a, b) => place(a.waiting[0]) - place(b.waiting[0]));
  }

  /** Compares everything that can be seen from outside. */
  check(isLast = false): void {
    const expected = new Map<string, number>();
    const count = (content: number | KernelSocket | undefined) => {
      if (content === undefined) return;
      const name = content instanceof KernelSocket ? 'sockets' : files[content]!;
      expected.set(name, (expected.get(name) ?? 0) + 1);
    };

    for (const { real, model } of this.sockets) {
      const { session } = model;
      assert.equal(real.isOpen, session !== undefined);
      assert.equal(real.fd === -1, session === undefined);
      assert.equal(real.localPath, model.localPath);
      assert.equal(real.remotePath, model.remotePath);
      count(session?.kernel);
      if (session === undefined) continue;
      assert.equal(real.ioControl('bytesReadable'), model.bytesReadable);
      assert.equal(real.getOption('emptyMessages'), session.emptyMessages);
      for (const { files } of session.held) files.forEach(count);
      const [pendingSends, pendingReceives] = [model.sends.waiting.length, model.receives.waiting.length];
      assert.deepEqual(real.counters, { ...session.counters, pendingSends, pendingReceives });
      session.wasContested = false;
    }
    for (const { real, model } of this.acceptors) {
      assert.equal(real.isOpen, model.socket !== undefined);
      assert.equal(real.localPath, model.localPath);
      count(model.socket);
    }
    for (const { real, content } of this.descriptors) {
      assert.equal(real.fd === -1, content === undefined);
      count(content);
    }
    for (const { waiting } of this.#queues()) {
      for (const operation of waiting) {
        assert.equal(operation.ticket.outcome, undefined, `${operation.syscall} has to wait`);
        operation.held.forEach(count);
      }
    }
    for (const path of paths.filter((each) => !isAbstract(each))) {
      assert.equal(existsSync(path), this.kernel.names.has(path), path);
    }

    this.#checkDescriptors(expected, isLast);
  }

  /** Reading what all descriptors are takes its time: as long as they are as many as before, that is good enough. */
  #checkDescriptors(expected: Map<string, number>, isThorough = false): void {
    const ours = total([...expected.values()]);
    const count = readdirSync('/proc/self/fd').length;
    if (count === ours + this.#others && !isThorough) return;
    this.#others = count - ours;
    const open = openDescriptors();
    const actual = new Map<string, number>();
    for (const file of open.values()) {
      if (files.includes(file)) actual.set(file, (actual.get(file) ?? 0) + 1);
    }
    const sockets = countSockets(open) - this.#socketsBefore;
    if (sockets !== 0) actual.set('sockets', sockets);
    assert.deepEqual(byName(actual), byName(expected));
  }

  /** Closes everything; what waits is cancelled, and nothing is left. */
  async finish(): Promise<void> {
    for (const { real } of [...this.sockets, ...this.acceptors]) real.close();
    await drained();
    for (const { model } of [...this.sockets, ...this.acceptors]) model.close();
    for (const descriptor of this.descriptors) this.closeOwn(descriptor);
    this.check(true);
    for (const made of this.#made) assert.equal(digest(made.data), made.digest);
  }

  /** Also after a failure nothing is left that would disturb the next run. */
  [Symbol.dispose](): void {
    const all = [...this.sockets, ...this.acceptors, ...this.descriptors, ...this.#unwanted];
    for (const { real } of all) real.close();
    for (const { result } of this.#results) {
      if (result instanceof SeqpacketSocket) result.close();
      else for (const fd of (result as ReceivedWithFds).fds) fd.close();
    }
    for (const path of paths) if (!isAbstract(path) && existsSync(path)) unlinkSync(path);
  }
}

function holdsDescriptors(result: unknown): boolean {
  return (
    result instanceof SeqpacketSocket || (typeof result === 'object' && result !== null && 'fds' in result)
  );
}

const isClosed = ({ content }: OwnDescriptor) => content === undefined;

const byName = (counts: Map<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));

function countSockets(open: Map<number, string>): number {
  return [...open.values()].filter((name) => name.startsWith('socket:')).length;
}

/** One call with its arguments, after which the event loop turns or not. */
class Step<Arguments> implements fc.AsyncCommand<World, World> {
  constructor(
    readonly name: string,
    readonly args: Arguments,
    readonly turns: boolean,
    readonly body: (world: World, args: Arguments) => Promise<void>,
    readonly applies: (world: World, args: Arguments) => boolean,
  ) {}

  check(world: Readonly<World>): boolean {
    return this.applies(world as World, this.args);
  }

  async run(world: World): Promise<void> {
    steps++;
    await this.body(world, this.args);
    await world.closeUnwanted();
    if (this.turns) await world.turn();
    world.check();
  }

  toString(): string {
    return `${this.name}(${fc.stringify(this.args).slice(1, -1)})${this.turns ? '' : ' and at once'}`;
  }
}

interface Kind {
  name: string;
  weight: number;
  arbitrary: fc.Arbitrary<fc.AsyncCommand<World, World>>;
}

const kinds: Kind[] = [];

/** Defines a command: how often it comes, its arguments, and what it does to the world. */
function command<Arguments>(
  name: string,
  weight: number,
  args: { [Key in keyof Arguments]: fc.Arbitrary<Arguments[Key]> },
  body: (world: World, args: Arguments) => Promise<void>,
  applies: (world: World, args: Arguments) => boolean = () => true,
): void {
  const turns = fc.oneof(
    { weight: 3, arbitrary: fc.constant(true) },
    { weight: 2, arbitrary: fc.constant(false) },
  );
  const arbitrary = fc
    .tuple(fc.record(args) as fc.Arbitrary<Arguments>, turns)
    .map(([values, turn]) => new Step(name, values, turn, body, applies));
  kinds.push({ name, weight, arbitrary });
}

const { peek, truncate, dontWait } = MessageFlag;

/** The first two begin as a pair. */
const socket = fc.oneof({ weight: 2, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.nat(SOCKETS - 1) });
const acceptor = fc.nat(ACCEPTORS - 1);
const descriptor = fc.nat(DESCRIPTORS - 1);
const path = fc.oneof(
  { weight: 1, arbitrary: fc.constant(paths[0]!) },
  { weight: 1, arbitrary: fc.constantFrom(...paths) },
);
const emptyMessages = fc.constantFrom('eof' as const, 'deliver' as const);

const length = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 5, 20) },
  { weight: 3, arbitrary: fc.constantFrom(700, 1500, 3000) },
  { weight: 1, arbitrary: fc.constantFrom(limits.leastSendBuffer - 32, limits.leastSendBuffer - 31, 20_000) },
);
/** The lengths of the buffers that stand for one message. */
const lengths = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(length) },
  { weight: 1, arbitrary: fc.array(length, { maxLength: 3 }) },
);
const rooms = fc.oneof({ weight: 2, arbitrary: fc.constant([20_000]) }, { weight: 3, arbitrary: lengths });
const view = fc.constantFrom('Buffer', 'DataView', 'array');

const receiveFlags = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      peek,
      truncate,
      dontWait,
      peek | truncate,
      peek | dontWait,
      peek | truncate | dontWait,
    ),
  },
);
const sendFlags = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constant(dontWait));

/** `'own'` is a signal of its own, `'shared'` the one that was made last, `'aborted'` one that is aborted already. */
const signal = fc.oneof(
  { weight: 4, arbitrary: fc.constant('none' as const) },
  { weight: 4, arbitrary: fc.constantFrom('own' as const, 'shared' as const) },
  { weight: 1, arbitrary: fc.constant('aborted' as const) },
);

type SignalKind = 'none' | 'own' | 'shared' | 'aborted';

function signalOf(world: World, kind: SignalKind): AbortSignal | undefined {
  if (kind === 'none') return undefined;
  if (kind === 'aborted') return AbortSignal.abort('before');
  if (kind === 'own') world.controllers.push(new AbortController());
  return world.controllers.at(-1)!.signal;
}

/** Starts an operation unless the model says that it is refused. */
function operate(refused: string | undefined, ticket: Ticket, begin: () => void): void {
  if (refused === undefined) begin();
  else ticket.expect(failed(refused));
}

function abortedBefore(signal: AbortSignal | undefined): string | undefined {
  return signal?.aborted ? `ABORT_ERR: ${signal.reason}` : undefined;
}

function bufferFor(lengthOf: number, kind: string): ArrayBufferView {
  const bytes = Buffer.alloc(lengthOf + 8, 0xee).subarray(8);
  return kind === 'DataView' ? new DataView(bytes.buffer, bytes.byteOffset, lengthOf) : bytes;
}

const bytesOf = (buffer: ArrayBufferView) => Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);

const total = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0);

/** Buffers for a receive; and what is in them then. */
class Room {
  readonly #buffers: ArrayBufferView[];

  constructor(
    readonly lengths: readonly number[],
    kind: string,
  ) {
    this.#buffers = lengths.map((each) => bufferFor(each, kind));
  }

  get size(): number {
    return total(this.lengths);
  }

  get argument(): ArrayBufferView | ArrayBufferView[] {
    return this.#buffers.length === 1 ? this.#buffers[0]! : this.#buffers;
  }

  contents(bytesRead: number) {
    const bytes = Buffer.concat(this.#buffers.map(bytesOf));
    return {
      bytesRead,
      data: digest(bytes.subarray(0, bytesRead)),
      isRestUntouched: bytes.subarray(bytesRead).every((byte) => byte === 0xee),
    };
  }
}

const FD_CLOEXEC = 0o2000000;

function isCloseOnExec({ fd }: FileDescriptor): boolean {
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))!;
  return (Number.parseInt(flags!, 8) & FD_CLOEXEC) !== 0;
}

function contentsWithFds(room: Room, { bytesRead, fds, controlTruncated }: ReceivedWithFds) {
  return { ...room.contents(bytesRead), ...contentsOfFds(fds), controlTruncated };
}

function contentsOfMessage(world: World, { data, fds, controlTruncated }: Message) {
  const contents = { bytesRead: data.length, data: world.noteMade(data), isRestUntouched: true };
  return { ...contents, ...contentsOfFds(fds), controlTruncated };
}

function contentsOfFds(fds: readonly FileDescriptor[]) {
  return {
    files: fds.map(({ fd }) => inodes.indexOf(fstatSync(fd).ino)),
    areCloseOnExec: fds.every(isCloseOnExec),
  };
}

/** The message in as many buffers as asked for. */
function split(message: Buffer, parts: readonly number[]): Buffer | Buffer[] {
  if (parts.length === 1) return message;
  let at = 0;
  return parts.map((each) => {
    at += each;
    return message.subarray(at - each, at);
  });
}

// Sockets

command(
  'pair',
  4,
  { one: socket, other: socket, areSmall: fc.boolean() },
  async (world, { one, other, areSmall }) => {
    for (const index of [one, other]) {
      const { real, model } = world.sockets[index]!;
      real.close();
      await drained();
      model.close();
    }
    world.connectPair(one, other, areSmall);
  },
  (_, { one, other }) => one !== other,
);

command('open', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.open(),
    () => done(model.open()),
  );
});

command('bind', 2, { at: socket, path }, async (world, { at, path }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.bind(path),
    () => done(model.bind(path)),
  );
});

command(
  'connect',
  5,
  { at: fc.oneof(socket, fc.constant('idle' as const)), path, signal },
  async (world, { at, path, signal }) => {
    const isIdle = ({ model }: (typeof world.sockets)[number]) =>
      model.connects.waiting.length === 0 && model.session?.kernel.state !== 'connected';
    const { real, model } =
      (at === 'idle' ? world.sockets.find(isIdle) : world.sockets[at]) ?? world.sockets[0]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(() => real.connect(path, { signal: abort }));
    const refused = abortedBefore(abort);
    if (refused === undefined && model.session === undefined) model.open();
    const isBusy = model.connects.waiting.length > 0;
    operate(refused ?? (isBusy ? 'connect EALREADY' : undefined), ticket, () => {
      model.connects.start(new Connect(model, path, ticket, abort));
    });
  },
);

command('disconnect', 1, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  const error = model.session === undefined ? 'connect EBADF' : 'connect EINVAL';
  await world.agree(
    () => real.disconnect(),
    () => failed(error),
  );
});

command(
  'send',
  14,
  { at: socket, lengths, flags: sendFlags, signal },
  async (world, { at, lengths, flags, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const data = world.message(total(lengths));
    const ticket = await world.start(() => real.send(split(data, lengths), { flags, signal: abort }));
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.sends.start(new Send(model, { data, files: [] }, flags, ticket, abort));
    });
  },
  (world, { at, lengths }) => !world.isUntellable(world.sockets[at]!.model, [total(lengths)]),
);

/** Which of the test's own descriptors to send, how it is given, and how many times. */
const sources = fc.oneof(
  { withCrossShrink: true },
  {
    weight: 12,
    arbitrary: fc.array(
      fc.record({ own: descriptor, as: fc.constantFrom('owner', 'number', 'object', 'not open') }),
      {
        maxLength: 4,
      },
    ),
  },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 253 }, () => ({ own: 0, as: 'number' }))) },
);

interface Source {
  own: number;
  as: string;
}

/** What to send, and which file it is, if it is one. */
function sourcesOf(world: World, sources: readonly Source[]) {
  return sources.flatMap(({ own, as }): { source: FdSource; file: number }[] => {
    const { real, content } = ownOf(world, own);
    // Sockets are not sent: those that travel over each other are closed whenever the kernel looks for them.
    if (content instanceof KernelSocket) return [];
    if (as === 'not open') return [{ source: 99_999, file: NOT_OPEN }];
    if (as === 'owner' || content === undefined) return [{ source: real, file: content ?? NOT_OPEN }];
    return [{ source: as === 'number' ? real.fd : { fd: real.fd }, file: content }];
  });
}

command(
  'sendWithFds',
  8,
  { at: socket, lengths, sources, flags: sendFlags, signal },
  async (world, { at, lengths, sources, flags, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const data = world.message(total(lengths));
    const sent = sourcesOf(world, sources);
    const fds = sent.map(({ source }) => source);
    const ticket = await world.start(() =>
      real.sendWithFds(split(data, lengths), fds, { flags, signal: abort }),
    );
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      const message = { data, files: sent.map(({ file }) => file) };
      model.sends.start(new Send(model, message, flags, ticket, abort));
    });
  },
  (world, { at, lengths }) => !world.isUntellable(world.sockets[at]!.model, [total(lengths)]),
);

command(
  'receive',
  16,
  { at: socket, rooms, view, flags: receiveFlags, signal },
  async (world, { at, rooms, view, flags, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const room = new Room(rooms, view);
    const ticket = await world.start(
      () => real.receive(room.argument, { flags, signal: abort }),
      (bytesRead) => room.contents(bytesRead as number),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new Receive(model, room.size, undefined, flags, ticket, abort));
    });
  },
);

const maxFds = fc.constantFrom(0, 1, 2, 3, 253);

command(
  'receiveWithFds',
  10,
  { at: socket, rooms, view, maxFds, flags: receiveFlags, signal },
  async (world, { at, rooms, view, maxFds, flags, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const room = new Room(rooms, view);
    const ticket = await world.start(
      () => real.receiveWithFds(room.argument, maxFds, { flags, signal: abort }),
      (received) => contentsWithFds(room, received as ReceivedWithFds),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new Receive(model, room.size, maxFds, flags, ticket, abort));
    });
    world.keepReceived(ticket);
  },
);

command('receiveMessage', 6, { at: socket, maxFds, signal }, async (world, { at, maxFds, signal }) => {
  const { real, model } = world.sockets[at]!;
  const abort = signalOf(world, signal);
  const ticket = await world.start(
    () => real.receiveMessage({ maxFds, signal: abort }),
    (message) => contentsOfMessage(world, message as Message),
  );
  const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
  operate(refused, ticket, () => {
    model.receives.start(new Receive(model, Number.POSITIVE_INFINITY, maxFds, 0, ticket, abort));
  });
  world.keepReceived(ticket);
});

const most = fc.constantFrom(1, 2, 64, 1000);

command(
  'receiveMany',
  5,
  { at: socket, max: most, signal },
  async (world, { at, max, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(
      () => real.receiveMany({ max, signal: abort }),
      (messages) => (messages as Buffer[]).map((data) => world.noteMade(data)),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new ReceiveMany(model, Math.min(max, 64), ticket, abort));
    });
  },
  (world, { at }) => !hasEmptyWaiting(world, world.sockets[at]!.model),
);

const direction = fc.constantFrom('read', 'write');

command('wait', 6, { at: socket, direction, signal }, async (world, { at, direction, signal }) => {
  const { real, model } = world.sockets[at]!;
  const abort = signalOf(world, signal);
  const ticket = await world.start(() => real.wait(direction, { signal: abort }));
  const refused = model.session === undefined ? 'poll EBADF' : abortedBefore(abort);
  operate(refused, ticket, () => {
    if (direction === 'read') model.receives.start(new WaitForReading(model, ticket, abort));
    else model.sends.start(new WaitForWriting(model, ticket, abort));
  });
});

/** The same the other way round. */
function hasEmptyWaiting(world: World, model: SocketModel): boolean {
  return (world.peerOf(model)?.sends.waiting ?? []).some(
    (each) => each instanceof Sending && each.messages.some(({ data }) => data.length === 0),
  );
}

const manyLengths = fc.oneof(
  { withCrossShrink: true },
  { weight: 3, arbitrary: fc.array(fc.constantFrom([0], [1], [5]), { maxLength: 6 }) },
  { weight: 4, arbitrary: fc.array(lengths, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 70 }, () => [1])) },
);

command(
  'sendMany',
  6,
  { at: socket, manyLengths, signal },
  async (world, { at, manyLengths, signal }) => {
    const { real, model } = world.sockets[at]!;
    const abort = signalOf(world, signal);
    const data = manyLengths.map((each) => world.message(total(each)));
    const parts = data.map((each, index) => split(each, manyLengths[index]!));
    const ticket = await world.start(() => real.sendMany(parts, { signal: abort }));
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused && `${refused} after 0`, ticket, () => {
      const messages = data.map((each) => ({ data: each, files: [] }));
      const totalSent = () => real.counters.messagesSent;
      model.sends.start(new SendMany(model, messages, totalSent, ticket, abort));
    });
  },
  (world, { at, manyLengths }) => !world.isUntellable(world.sockets[at]!.model, manyLengths.map(total)),
);

command('tryReceive', 4, { at: socket, rooms, view }, async (world, { at, rooms, view }) => {
  const { real, model } = world.sockets[at]!;
  const room = new Room(rooms, view);
  await world.agree(
    () => {
      const bytesRead = real.tryReceive(room.argument);
      return bytesRead === null ? null : room.contents(bytesRead);
    },
    () => {
      if (model.session === undefined) return failed('recvmsg EBADF');
      if (model.receives.waiting.length > 0) return { value: null };
      const outcome = new Receive(model, room.size, undefined, 0, new Ticket()).attempt();
      return outcome ?? { value: null };
    },
  );
});

command('trySend', 5, { at: socket, lengths, sources }, async (world, { at, lengths, sources }) => {
  const { real, model } = world.sockets[at]!;
  const data = world.message(total(lengths));
  const sent = sourcesOf(world, sources);
  const fds = sent.map(({ source }) => source);
  const outcome = outcomeOf(() => real.trySend(split(data, lengths), fds));
  const files = sent.map(({ file }) => file);
  const expected = () => {
    if (model.session === undefined) return failed('sendmsg EBADF');
    if (model.sends.waiting.length > 0) return { value: false };
    const ticket = new Ticket();
    const isFull = 'value' in outcome && outcome.value === false;
    ticket.outcome = isFull ? failed('sendmsg EAGAIN') : outcome;
    const sending = new Send(model, { data, files }, dontWait, ticket).attempt();
    if (isFull) return sending === ticket.outcome ? outcome : sending;
    return sending !== undefined && 'value' in sending ? { value: true } : sending;
  };
  assert.deepEqual(outcome, expected());
});

command(
  'shutdown',
  2,
  { at: socket, what: fc.constantFrom('receive' as const, 'send' as const, 'both' as const) },
  async (world, { at, what }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.shutdown(what),
      () => done(model.shutdown(what)),
    );
    world.keepAllReceived();
  },
);

command('cancel', 3, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.cancel(),
    () => done(void model.cancel()),
  );
});

command('abort', 5, { which: fc.nat(3) }, async (world, { which }) => {
  const inUse = world.controllers.filter(({ signal }) => world.isWaitedWith(signal));
  const choice = inUse.length > 0 ? inUse : world.controllers;
  const controller = choice[which % choice.length]!;
  world.controllers = world.controllers.filter((each) => each !== controller);
  if (world.controllers.length === 0) world.controllers.push(new AbortController());
  await world.agree(
    () => controller.abort('later'),
    () => done(void world.abort(controller.signal)),
  );
});

command(
  'close',
  2,
  { at: socket, how: fc.constantFrom('close', 'dispose', 'asyncDispose') },
  async (world, { at, how }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => closeBy(real, how),
      () => done(void model.close()),
    );
  },
);

function closeBy(endpoint: SeqpacketSocket | SeqpacketAcceptor, how: string): void {
  if (how === 'close') endpoint.close();
  else if (how === 'dispose') endpoint[Symbol.dispose]();
  else void endpoint[Symbol.asyncDispose]();
}

/** Releases an endpoint; the descriptor, the same as before, is the test's own from then on. */
async function release(
  world: World,
  real: SeqpacketSocket | SeqpacketAcceptor,
  model: SocketModel | AcceptorModel,
): Promise<void> {
  const { fd } = real;
  let released: FileDescriptor | undefined;
  const outcome = outcomeOf(() => {
    released = real.release();
    return released.fd;
  });
  await drained();
  const kernel = model.release();
  assert.deepEqual(outcome, typeof kernel === 'string' ? failed(kernel) : { value: fd });
  if (typeof kernel === 'string') return;
  kernel.descriptors++;
  world.keep({ real: released!, content: kernel });
}

command('release', 3, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await release(world, real, model);
});

/** What assigning a descriptor comes to, the endpoint being of a kind that listens or not. */
function assignError({ content }: OwnDescriptor, isOpen: boolean, listens: boolean): string | undefined {
  if (isOpen) return 'assign EALREADY';
  if (content === undefined) return 'assign EBADF';
  if (!(content instanceof KernelSocket)) return 'getsockopt ENOTSOCK';
  return content.state === 'listening' && !listens ? 'assign EINVAL' : undefined;
}

/** Moves the socket of a descriptor of the test's own. */
function moveTo(model: SocketModel | AcceptorModel, own: OwnDescriptor): void {
  const kernel = own.content as KernelSocket;
  model.begin(kernel);
  kernel.descriptors--;
  own.content = undefined;
}

function isFree(world: World, { content }: OwnDescriptor): boolean {
  return !(content instanceof KernelSocket && world.isTaken(content));
}

const ownOf = (world: World, index: number) => world.descriptors[index % world.descriptors.length]!;

command(
  'assign',
  6,
  { at: socket, own: descriptor, isNew: fc.boolean() },
  async (world, { at, own, isNew }) => {
    const slot = world.sockets[at]!;
    const { model } = slot;
    const source = ownOf(world, own);
    const error = assignError(source, model.session !== undefined, false);
    await world.agree(
      () => {
        if (isNew && model.session === undefined) slot.real = new SeqpacketSocket(source.real);
        else slot.real.assign(source.real);
      },
      () => done(error),
    );
    if (error === undefined) moveTo(model, source);
  },
  (world, { own }) => isFree(world, ownOf(world, own)),
);

/** SO_SNDBUF and SO_RCVBUF: doubled, with a lower limit. */
const bufferSize = fc.constantFrom(0, 0, 3000, 5000, 100_000);

command('setOption sendBufferSize', 3, { at: socket, size: bufferSize }, async (world, { at, size }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.setOption('sendBufferSize', size),
    () => {
      if (model.session === undefined) return failed('setsockopt EBADF');
      model.session.kernel.sendBuffer = Math.max(2 * size, limits.leastSendBuffer);
      return done(undefined);
    },
  );
});

command('setOption receiveBufferSize', 1, { at: socket, size: bufferSize }, async (world, { at, size }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.setOption('receiveBufferSize', size),
    () => {
      if (model.session === undefined) return failed('setsockopt EBADF');
      model.session.kernel.receiveBuffer = Math.max(2 * size, limits.leastReceiveBuffer);
      return done(undefined);
    },
  );
});

command(
  'setOption emptyMessages',
  4,
  { at: socket, emptyMessages },
  async (world, { at, emptyMessages }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.setOption('emptyMessages', emptyMessages),
      () => {
        if (model.session === undefined) return failed('setsockopt EBADF');
        model.session.emptyMessages = emptyMessages;
        return done(undefined);
      },
    );
  },
  (world, { at }) => !hasEmptyWaiting(world, world.sockets[at]!.model),
);

command('getOption', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  const { session } = model;
  const expected = (value: unknown) => (session === undefined ? failed('getsockopt EBADF') : { value });
  const get = (name: Parameters<typeof real.getOption>[0]) => outcomeOf(() => real.getOption(name));
  assert.deepEqual(get('sendBufferSize'), expected(session?.kernel.sendBuffer));
  assert.deepEqual(get('receiveBufferSize'), expected(session?.kernel.receiveBuffer));
  assert.deepEqual(get('emptyMessages'), expected(session?.emptyMessages));
  assert.deepEqual(get('debug'), expected(false));
  const credentials = outcomeOf(() => {
    const { pid, uid, gid } = real.getOption('remoteCredentials');
    return { pid, uid, gid };
  });
  const own = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() };
  const isConnected = session === undefined || session.kernel.state === 'connected';
  assert.deepEqual(credentials, isConnected ? expected(own) : failed('getsockopt ENOTCONN'));
});

command('ref or unref', 1, { at: socket, isRef: fc.boolean() }, async (world, { at, isRef }) => {
  const { real } = world.sockets[at]!;
  assert.equal(isRef ? real.ref() : real.unref(), real);
});

command(
  'ioControl of what is closed',
  1,
  { at: socket },
  async (world, { at }) => {
    const { real } = world.sockets[at]!;
    await world.agree(
      () => real.ioControl('bytesReadable'),
      () => failed('ioctl EBADF'),
    );
  },
  (world, { at }) => world.sockets[at]!.model.session === undefined,
);

/** Arguments that are wrong: thrown at once, whatever the state, and nothing happens. */
const WRONG: readonly [code: string, call: (real: SeqpacketSocket, fd: number) => unknown][] = [
  ['ERR_INVALID_ARG_TYPE', (real) => real.send(5 as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive([Buffer.alloc(1), 1] as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.receive(Array(2).fill(Buffer.alloc(1)))],
  ['ERR_INVALID_ARG_VALUE', (real) => real.wait('all' as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.sendWithFds(Buffer.alloc(1), ['0'] as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive(Buffer.alloc(1), { signal: 'now' } as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.assign(0 as never)],
  ['ERR_OUT_OF_RANGE', (real, fd) => real.sendWithFds(Buffer.alloc(1), Array(254).fill(fd))],
  ['ERR_OUT_OF_RANGE', (real) => real.receiveWithFds(Buffer.alloc(1), 254)],
  ['ERR_OUT_OF_RANGE', (real) => real.receive(Buffer.alloc(1), { flags: -1 })],
  ['ERR_INVALID_ARG_VALUE', (real) => real.shutdown('all' as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.connect('a\0b')],
  ['ERR_INVALID_ARG_VALUE', (real) => real.bind('')],
  ['ERR_INVALID_ARG_VALUE', (real) => real.setOption('remoteCredentials' as never, 1 as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.getOption('linger' as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.ioControl('bytesWritable' as never)],
];

command(
  'a wrong argument',
  2,
  { at: socket, which: fc.nat(WRONG.length - 1) },
  async (world, { at, which }) => {
    const { real } = world.sockets[at]!;
    const [code, call] = WRONG[which]!;
    await world.agree(
      () => call(real, 0),
      () => failed(code),
    );
  },
);

// Acceptors

command('acceptor.open', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.open(),
    () => done(model.open()),
  );
});

command('acceptor.bind', 2, { at: acceptor, path }, async (world, { at, path }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.bind(path),
    () => done(model.bind(path)),
  );
});

const backlog = fc.nat(2);

command('acceptor.listen', 2, { at: acceptor, backlog }, async (world, { at, backlog }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.listen(backlog),
    () => done(model.listen(backlog)),
  );
});

command('accept', 7, { at: acceptor, signal }, async (world, { at, signal }) => {
  const { real, model } = world.acceptors[at]!;
  const abort = signalOf(world, signal);
  const ticket = await world.start(
    () => real.accept({ signal: abort }),
    (result) => (result instanceof SeqpacketSocket ? 'a socket' : result),
  );
  const refused = model.socket === undefined ? 'accept4 EBADF' : abortedBefore(abort);
  operate(refused, ticket, () => {
    const accepted = (kernel: KernelSocket) => world.accepted(model, kernel, ticket);
    model.accepts.start(new Accept(model, accepted, ticket, abort));
  });
});

command('acceptor.cancel', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.cancel(),
    () => done(void model.accepts.cancel()),
  );
});

command(
  'acceptor.close',
  2,
  { at: acceptor, how: fc.constantFrom('close', 'dispose', 'asyncDispose') },
  async (world, { at, how }) => {
    const { real, model } = world.acceptors[at]!;
    await world.agree(
      () => closeBy(real, how),
      () => done(void model.close()),
    );
  },
);

command('acceptor.release', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await release(world, real, model);
});

command(
  'acceptor.assign',
  3,
  { at: acceptor, own: descriptor, isNew: fc.boolean() },
  async (world, { at, own, isNew }) => {
    const slot = world.acceptors[at]!;
    const { model } = slot;
    const source = ownOf(world, own);
    const error = assignError(source, model.socket !== undefined, true);
    await world.agree(
      () => {
        if (isNew && model.socket === undefined) slot.real = new SeqpacketAcceptor(source.real);
        else slot.real.assign(source.real);
      },
      () => done(error),
    );
    if (error === undefined) moveTo(model, source);
  },
  (world, { own }) => isFree(world, ownOf(world, own)),
);

command('acceptor options', 1, { at: acceptor, value: fc.boolean() }, async (world, { at, value }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.setOption('enableConnectionAborted', value),
    () => {
      if (model.socket === undefined) return failed('setsockopt EBADF');
      model.reportsAborted = value;
      return done(undefined);
    },
  );
  const actual = outcomeOf(() => [real.getOption('enableConnectionAborted'), real.getOption('debug')]);
  const expected = { value: [model.reportsAborted, false] };
  assert.deepEqual(actual, model.socket === undefined ? failed('getsockopt EBADF') : expected);
});

/** None of these modes would be cut by a umask that is usual. */
const mode = fc.constantFrom(undefined, 0o600, 0o700);

command(
  'listen',
  3,
  { at: acceptor, path, backlog, mode, emptyMessages, reclaim: fc.boolean() },
  async (world, { at, path, backlog, mode, emptyMessages, reclaim }) => {
    const slot = world.acceptors[at]!;
    slot.real.close();
    await drained();
    slot.model.close();
    slot.model = new AcceptorModel(world.kernel);
    const fileMode = isAbstract(path) ? undefined : mode;
    await world.agree(
      () => {
        slot.real = listen(path, { backlog, mode: fileMode, emptyMessages, reclaim });
      },
      () => done(slot.model.listenAt(path, backlog, reclaim)),
    );
    if (slot.model.socket === undefined) return;
    slot.model.emptyMessages = emptyMessages;
    if (fileMode !== undefined) assert.equal(statSync(path).mode & 0o777, fileMode);
  },
);

// Descriptors

command('FileDescriptor.adopt', 2, { file: fc.nat(FILES - 1) }, async (world, { file }) => {
  const real = FileDescriptor.adopt(openSync(files[file]!, 'r'));
  assert.equal(real.toString(), `/dev/fd/${real.fd}`);
  world.keep({ real, content: file });
});

command('FileDescriptor.adopt of what is not open', 1, {}, async (world) => {
  await world.agree(
    () => FileDescriptor.adopt(99_999),
    () => failed('fcntl EBADF'),
  );
});

/** Duplicates something of the test's own or an endpoint's. */
async function duplicate(
  world: World,
  make: () => FileDescriptor,
  content: OwnDescriptor['content'],
): Promise<void> {
  let real: FileDescriptor | undefined;
  const outcome = outcomeOf(() => {
    real = make();
    return isCloseOnExec(real);
  });
  assert.deepEqual(outcome, content === undefined ? failed('dup EBADF') : { value: true });
  if (real === undefined) return;
  if (content instanceof KernelSocket) content.descriptors++;
  world.keep({ real, content });
}

command(
  'dup',
  3,
  { own: descriptor, as: fc.constantFrom('owner', 'method', 'number', 'object') },
  async (world, { own, as }) => {
    const { real, content } = ownOf(world, own);
    const sources = {
      owner: real,
      method: real,
      number: content === undefined ? 99_999 : real.fd,
      object: { fd: real.fd },
    };
    const source = sources[as as keyof typeof sources];
    await duplicate(world, () => (as === 'method' ? real.dup() : FileDescriptor.dup(source)), content);
  },
);

command('dup of a socket', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await duplicate(world, () => FileDescriptor.dup(real), model.session?.kernel);
});

command('dup of an acceptor', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await duplicate(world, () => FileDescriptor.dup(real), model.socket);
});

command(
  'FileDescriptor.close',
  4,
  { own: descriptor, disposes: fc.boolean() },
  async (world, { own, disposes }) => {
    const source = ownOf(world, own);
    if (disposes) source.real[Symbol.dispose]();
    world.closeOwn(source);
  },
);

command('detach', 2, { own: descriptor, adopts: fc.boolean() }, async (world, { own, adopts }) => {
  const source = ownOf(world, own);
  const { fd } = source.real;
  assert.equal(source.real.detach(), fd);
  assert.equal(source.real.fd, -1);
  const { content } = source;
  source.content = undefined;
  if (content === undefined) return;
  if (adopts) {
    world.keep({ real: FileDescriptor.adopt(fd), content });
    return;
  }
  closeSync(fd);
  if (content instanceof KernelSocket) world.kernel.close(content);
});

// Files

command(
  'a file is removed',
  1,
  { path },
  async (world, { path }) => {
    unlinkSync(path);
    world.kernel.names.delete(path);
  },
  (world, { path }) => !isAbstract(path) && world.kernel.names.has(path),
);

command(
  'a file is in the way',
  1,
  { path },
  async (world, { path }) => {
    writeFileSync(path, '');
    world.kernel.names.set(path, PLAIN_FILE);
  },
  (world, { path }) => !isAbstract(path) && hasDirectory(path) && !world.kernel.names.has(path),
);

const RUNS_AT_ONCE = 40;
const LONGEST_RUN = 120;

/** Every command in every run; but what comes more often than usual differs, or queues would seldom fill up. */
const BIASES: readonly (readonly [names: RegExp, factor: number])[][] = [
  [],
  [[/^(send|trySend)/, 8]],
  [[/^(receive|tryReceive)/, 5]],
  [[/^(connect|accept)$/, 12]],
  [[/^(send|trySend|receive|tryReceive|abort|cancel)/, 6]],
  [
    [/^sendMany$/, 20],
    [/^receiveMany$/, 15],
    [/^pair$/, 3],
  ],
  [[/^(send|shutdown|pair)/, 5]],
  [
    [/^(send|receive|receiveWithFds)$/, 8],
    [/^pair$/, 5],
  ],
];

function sequences(bias: (typeof BIASES)[number]) {
  const weighted = kinds.map(({ name, weight, arbitrary }) => {
    const [, factor] = bias.find(([names]) => names.test(name)) ?? [name, 1];
    return { weight: factor * weight, arbitrary };
  });
  return fc.commands([fc.oneof(...weighted)], { maxCommands: LONGEST_RUN, size: 'max' });
}

const DEFAULT_DURATION_MS = 1_500;

test('random operations agree with the model', async (t) => {
  const wantedSteps = Number(process.env['SEQPACKET_MODEL_STEPS'] ?? 0);
  const seed = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
  const started = performance.now();
  let runs = 0;
  const property = fc.asyncProperty(fc.oneof(...BIASES.map(sequences)), async (sequence) => {
    runs++;
    using world = new World();
    try {
      await fc.asyncModelRun(() => ({ model: world, real: world }), sequence);
      await world.finish();
    } catch (error) {
      // To be made smaller, it has to fail many times.
      patience = 300;
      throw error;
    }
  });
  const goesOn = () =>
    wantedSteps > 0 ? steps < wantedSteps : performance.now() - started < DEFAULT_DURATION_MS;
  for (let batch = 0; goesOn(); batch++) {
    await fc.assert(property, { seed: seed + batch, numRuns: RUNS_AT_ONCE, includeErrorInReport: true });
  }
  t.diagnostic(`model: ${steps} steps in ${runs} runs agree (SEQPACKET_SEED=${seed})`);
});
