import assert from 'node:assert/strict';
import { existsSync, fstatSync, openSync, unlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FileDescriptor,
  listen,
  type ReceivedWithFds,
  SeqpacketAcceptor,
  SeqpacketSocket,
  type SharedChannel,
} from 'seqpacket';
import { AcceptorModel } from '../expected/acceptor-model.js';
import { Connect } from '../expected/connecting.js';
import { isAbstract, Kernel, KernelSocket } from '../expected/kernel.js';
import { digest } from '../expected/message.js';
import { type Operation, Ticket } from '../expected/operation.js';
import { described, failed, type Outcome, outcomeOf } from '../expected/outcome.js';
import { SocketModel } from '../expected/socket-model.js';
import { DescriptorCensus } from './descriptor-census.js';
import { files, hasDirectory, inodes, paths } from './files.js';
import { limits } from './limits.js';
import { isClosed, type OwnDescriptor } from './own-descriptor.js';
import { drained } from './settling.js';

export const SOCKETS = 5;
export const ACCEPTORS = 2;
export const DESCRIPTORS = 6;

export type End = SeqpacketSocket | SharedChannel;

export interface Slot<Real, Model> {
  real: Real;
  model: Model;
}

/** Counts a descriptor that must be open. */
export type Count = (content: number | KernelSocket | undefined) => void;

/** The real sockets, acceptors and descriptors, each beside its model. */
export class World {
  readonly kernel: Kernel = new Kernel(limits, hasDirectory);
  readonly ends: Slot<End, SocketModel>[] = [];
  readonly acceptors: Slot<SeqpacketAcceptor, AcceptorModel>[] = [];
  readonly descriptors: OwnDescriptor[] = [];
  controllers: AbortController[] = [new AbortController()];
  readonly #census = new DescriptorCensus();
  /** Sockets and descriptors that were promised and not yet taken. */
  readonly #results = new Set<Ticket>();
  /** Some of the messages for which the library allocated buffers, with digests of their contents. */
  readonly #made: { data: Buffer; digest: string }[] = [];
  /** Sockets that were accepted and have no place; closed once the model has caught up. */
  #unwanted: { real: SeqpacketSocket; model: SocketModel }[] = [];
  #settled = 0;
  /** Those that have not settled yet, and some that have. */
  #tickets: Ticket[] = [];
  #messages = 0;
  /** The number of commands that have run. */
  steps = 0;

  /** @param patience the time in milliseconds in which an operation must settle that has to settle */
  constructor(readonly patience: number) {
    for (let i = 0; i < SOCKETS; i++) {
      this.ends.push({ real: new SeqpacketSocket(), model: new SocketModel(this.kernel) });
    }
    for (let i = 0; i < ACCEPTORS; i++) {
      this.acceptors.push({ real: new SeqpacketAcceptor(), model: new AcceptorModel(this.kernel) });
    }
    this.keep({ real: FileDescriptor.adopt(openSync(files[0]!, 'r')), content: 0 });
  }

  /** The ends, in a world of sockets. */
  get sockets(): Slot<SeqpacketSocket, SocketModel>[] {
    return this.ends as Slot<SeqpacketSocket, SocketModel>[];
  }

  /** Makes what the sequences begin with. */
  async begin(): Promise<void> {
    await this.connectPair(0, 1, true);
    this.acceptors[0]!.real = listen(paths[0]!, { backlog: 0, emptyMessages: 'deliver' });
    this.acceptors[0]!.model.listenAt(paths[0]!, 0, false);
    this.acceptors[0]!.model.emptyMessages = 'deliver';
  }

  /** Puts two connected sockets in place of two others. */
  async connectPair(one: number, other: number, areSmall: boolean): Promise<void> {
    const reals = SeqpacketSocket.pair();
    const kernels = this.kernel.pair([this.kernel.socket(), this.kernel.socket()]);
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

  /** The flags that a send of these ends takes into account. */
  sendFlags(flags: number): number {
    return flags;
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
      this.ends.some(({ model }) => model.session?.kernel === kernel) ||
      this.acceptors.some(({ model }) => model.socket === kernel)
    );
  }

  /** The socket at the other end, if the test has it. */
  peerOf(model: SocketModel): SocketModel | undefined {
    const peer = model.session?.kernel.peer;
    return peer && this.ends.find((each) => each.model.session?.kernel === peer)?.model;
  }

  /**
   * Whether a waiting batch might be split by a message of one of these lengths while messages behind it arrive one by
   * one. The number of messages that it has fetched is then unknown.
   */
  isUntellable(model: SocketModel, lengths: readonly number[]): boolean {
    const { session } = model;
    if (session === undefined || !this.peerOf(model)?.splitsAt(lengths)) return false;
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

  /** Makes a synchronous call, and compares its outcome. */
  async agree(real: () => unknown, model: () => Outcome): Promise<void> {
    const outcome = outcomeOf(real);
    await drained();
    assert.deepEqual(outcome, model());
  }

  /** Makes a synchronous call, and records its outcome and its result, which owns descriptors. */
  completed<Result>(call: () => Result, value: (result: Result) => unknown): Ticket {
    const ticket = new Ticket();
    ticket.outcome = outcomeOf(() => {
      const result = call();
      ticket.result = result;
      this.#results.add(ticket);
      return value(result);
    });
    return ticket;
  }

  /** Makes a call that returns a promise, and records its outcome. */
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

  /** Records a buffer of the library, to check that its contents stay. */
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
    const deadline = performance.now() + this.patience;
    for (;;) {
      await this.#quiet();
      this.#tickets = this.#tickets.filter((each) => each.outcome === undefined);
      this.serve();
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
      ...this.ends.flatMap(({ model }) => model.queues),
      ...this.acceptors.map(({ model }) => model.accepts),
    ];
  }

  /** Updates the model with what has settled although the event loop has not turned. */
  catchUp(): void {}

  /** Updates the model with the settled operations. */
  protected serve(): void {
    for (let goesOn = true; goesOn; ) {
      goesOn = false;
      for (const { model } of this.acceptors) while (model.accepts.serveFirst()) goesOn = true;
      for (const { model } of this.ends) while (model.receives.serveFirst()) goesOn = true;
      // One by one: a receive that does not wait may have come between two of them.
      goesOn ||= this.ends.some(({ model }) => model.sends.serveFirst());
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

  /** The backlog is in the order of the connects. */
  #connectsBySettling() {
    const place = (operation: Operation | undefined) => operation?.ticket.place || Number.POSITIVE_INFINITY;
    return this.ends
      .map(({ model }) => model.connects)
      .sort((a, b) => place(a.waiting[0]) - place(b.waiting[0]));
  }

  /** Compares everything that is observable. */
  check(isLast = false): void {
    const expected = new Map<string, number>();
    const count: Count = (content) => {
      if (content === undefined) return;
      const name = content instanceof KernelSocket ? 'sockets' : files[content]!;
      expected.set(name, (expected.get(name) ?? 0) + 1);
    };

    this.checkEnds(count);
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

    this.#census.check(expected, this.mayBeOpen, isLast);
  }

  /** Compares the state of the ends, and counts their descriptors. */
  protected checkEnds(count: Count): void {
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
  }

  /** The files of descriptors that may be open, because the library may have received them in advance. */
  protected get mayBeOpen(): readonly number[] {
    return [];
  }

  /** Closes everything. Waiting operations are cancelled, and nothing remains open. */
  async finish(): Promise<void> {
    for (const { real } of [...this.ends, ...this.acceptors]) real.close();
    await drained();
    for (const { model } of [...this.ends, ...this.acceptors]) model.close();
    for (const descriptor of this.descriptors) this.closeOwn(descriptor);
    this.check(true);
    for (const made of this.#made) assert.equal(digest(made.data), made.digest);
  }

  /** Also after a failure nothing is left that would disturb the next run. */
  [Symbol.dispose](): void {
    const all = [...this.ends, ...this.acceptors, ...this.descriptors, ...this.#unwanted];
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
