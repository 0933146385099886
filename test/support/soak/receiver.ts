/** Receives the messages of one end, in all the ways that there are, and checks each. */
import { setImmediate as turn } from 'node:timers/promises';
import { type FileDescriptor, type Message, MessageFlag } from 'seqpacket';
import { EMPTY } from './ledger.js';
import type { Failure, Link } from './link.js';
import { decode, FIXED, type Header, inodeOf } from './message.js';

/** So many ends of file one after the other are no empty messages. */
const ENDS = 60;

const MOST_KEPT = 300;

/** What a call can say about the descriptors of a message; nothing, if it closes them. */
interface Delivered {
  fds: FileDescriptor[];
  controlTruncated: boolean;
  maxFds: number;
}

/** What is to become of the messages that a call has received. */
interface Style {
  /** They stay in the queue. */
  peeks?: boolean;
  delivered?: Delivered;
}

export class Receiver {
  isDone = false;
  /** The sequence number of the message that came last. */
  #last = -1;
  /** Of the next message, as an EMSGSIZE or a peek has said. */
  #nextLength: number | undefined;
  #nextSequence: number | undefined;
  #sawGoodbye = false;
  #wasReset = false;
  #ends = 0;
  #isOver = false;
  #deadReadable = -1;
  /** Received descriptors; those of a worker are open when it is terminated. */
  readonly #kept: FileDescriptor[] = [];

  constructor(private readonly link: Link) {}

  get #delivers(): boolean {
    return this.link.plan.modes[this.link.side] === 'deliver';
  }

  async run(): Promise<void> {
    const { link } = this;
    const { random } = link;
    while (!this.#isOver && !link.isClosed) {
      const style = random.weighted({ burst: 12, try: 2, wait: 2, iterate: 2, steps: 2, stream: 2 });
      link.note(`${style} after ${this.#last}`);
      if (style === 'burst') await this.#burst();
      else if (style === 'try') this.#tryUntilNothing();
      else if (style === 'wait') await this.#waitAndTry();
      else if (style === 'iterate') await this.#iterate();
      else if (style === 'steps') await this.#steps();
      else await this.#stream();
      if (random.chance(0.2)) await link.pause();
    }
    this.#closeKept();
    this.isDone = true;
  }

  async #burst(): Promise<void> {
    const { random } = this.link;
    const operations: Promise<void>[] = [];
    for (let left = random.between(1, 8); left > 0; left--) {
      switch (random.weighted({ receive: 5, descriptors: 5, message: 5, many: 3, peek: 2, truncate: 1 })) {
        case 'receive':
          operations.push(this.#receive(0));
          break;
        case 'descriptors':
          operations.push(this.#receiveWithFds(0));
          break;
        case 'message':
          operations.push(this.#receiveMessage());
          break;
        case 'many':
          operations.push(this.#receiveMany());
          break;
        case 'peek':
          operations.push(
            random.chance(0.5) ? this.#receive(MessageFlag.peek) : this.#receiveWithFds(MessageFlag.peek),
          );
          break;
        case 'truncate':
          operations.push(this.#receive(MessageFlag.truncate));
          break;
      }
    }
    await Promise.all(operations);
  }

  /** Often too short. */
  #room(): number {
    const { random } = this.link;
    if (this.#nextLength !== undefined && random.chance(0.7)) return this.#nextLength;
    return random.pick([0, FIXED, 200, 5000, 5000, 70_000]);
  }

  #parts(room: number): Buffer | Buffer[] {
    const { random } = this.link;
    if (random.chance(0.7)) return Buffer.allocUnsafeSlow(room);
    const first = random.between(0, room);
    return [Buffer.alloc(first), Buffer.alloc(room - first)];
  }

  #receive(flags: number): Promise<void> {
    const { link } = this;
    const room = flags === MessageFlag.truncate ? Math.max(this.#room(), FIXED) : this.#room();
    const parts = this.#parts(room);
    const signal = link.signal();
    const peeks = flags === MessageFlag.peek;
    const { cancels } = link;
    return link.track(`receive of ${room}, ${flags}`, link.socket.receive(parts, { flags, signal })).then(
      (bytes) => this.#arrived(joined(parts), bytes, { peeks }),
      (error) => this.#failed(error, signal, cancels, room, peeks),
    );
  }

  #maxFds(): number {
    return this.link.random.pick([0, 1, 2, 30, 253]);
  }

  #receiveWithFds(flags: number): Promise<void> {
    const { link } = this;
    const room = this.#room();
    const parts = this.#parts(room);
    const maxFds = this.#maxFds();
    const signal = link.signal();
    const peeks = flags === MessageFlag.peek;
    const { cancels } = link;
    const received = link.socket.receiveWithFds(parts, maxFds, { flags, signal });
    return link.track(`receiveWithFds of ${room}, ${flags}`, received).then(
      ({ bytesRead, fds, controlTruncated }) =>
        this.#arrived(joined(parts), bytesRead, { peeks, delivered: { fds, controlTruncated, maxFds } }),
      (error) => this.#failed(error, signal, cancels, room, peeks),
    );
  }

  #receiveMessage(): Promise<void> {
    const { link } = this;
    const maxFds = this.#maxFds();
    const signal = link.signal();
    const { cancels } = link;
    return link.track('receiveMessage', link.socket.receiveMessage({ maxFds, signal })).then(
      (message) => this.#arrivedWhole(message, maxFds),
      (error) => this.#failed(error, signal, cancels),
    );
  }

  #arrivedWhole({ data, fds, controlTruncated, credentials }: Message, maxFds: number): void {
    const { link } = this;
    this.#arrived(data, data.length, { delivered: { fds, controlTruncated, maxFds } });
    if (credentials !== undefined && credentials.pid !== 0 && credentials.pid !== link.surroundings.peer) {
      link.fault(`a message of process ${credentials.pid}`);
    }
  }

  #receiveMany(): Promise<void> {
    const { link } = this;
    const max = link.random.pick([1, 5, 64]);
    const signal = link.signal();
    const { cancels } = link;
    return link.track('receiveMany', link.socket.receiveMany({ max, signal })).then(
      (messages) => {
        if (messages.length === 0 || messages.length > max)
          link.fault(`${messages.length} of ${max} messages`);
        for (const data of messages) this.#arrived(data, data.length);
      },
      (error) => this.#failed(error, signal, cancels),
    );
  }

  #tryUntilNothing(): void {
    for (let left = this.link.random.between(1, 20); left > 0; left--) if (!this.#try()) return;
  }

  /** @returns whether there was something */
  #try(): boolean {
    const { link } = this;
    const { cancels } = link;
    const room = this.#room();
    const buffer = Buffer.alloc(room);
    try {
      const bytes = link.socket.tryReceive(buffer);
      if (bytes !== null) this.#arrived(buffer, bytes);
      return bytes !== null;
    } catch (error) {
      this.#failed(error as Failure, undefined, cancels, room);
      return true;
    }
  }

  async #waitAndTry(): Promise<void> {
    const { link } = this;
    const { cancels } = link;
    const signal = link.signal();
    await link.track('wait read', link.socket.wait('read', { signal })).then(
      () => {
        if (!link.isClosed && !this.#try()) link.fault(`there was nothing after wait('read')`);
      },
      (error) => this.#failed(error, signal, cancels),
    );
  }

  /** Ends by a break, by an abort, or with the socket. */
  async #iterate(): Promise<void> {
    const { link } = this;
    const { random, cancels } = link;
    const withMessages = random.chance(0.5);
    const maxFds = this.#maxFds();
    const signal = withMessages ? link.signal() : undefined;
    let left = random.between(1, 20);
    try {
      if (withMessages) {
        for await (const message of link.socket.messages({ maxFds, signal })) {
          this.#arrivedWhole(message, maxFds);
          if (--left === 0) return;
        }
      } else {
        for await (const data of link.socket) {
          this.#arrived(data, data.length);
          if (--left === 0) return;
        }
      }
      this.#end();
    } catch (error) {
      this.#failed(error as Failure, signal, cancels);
    }
  }

  /** Steps that are called at once, and an end while they wait. */
  async #steps(): Promise<void> {
    const { link } = this;
    const { random, cancels } = link;
    const iterator = link.socket[Symbol.asyncIterator]();
    let isReturned = false;
    let isOver = false;
    let settled = 0;
    const steps = Array.from({ length: random.between(1, 6) }, () =>
      link.track('step', iterator.next()).then(
        ({ done, value }) => {
          if (value !== undefined) this.#arrived(value, value.length);
          else if (done && !isReturned && !isOver) this.#end();
          isOver ||= done === true;
          settled++;
        },
        (error) => {
          isOver = true;
          settled++;
          this.#failed(error, undefined, cancels);
        },
      ),
    );
    if (random.chance(0.5)) {
      // Steps that have settled have been noted by then.
      await turn();
      isReturned = true;
      await link.track('return', iterator.return!());
      await turn();
      if (settled < steps.length) link.fault('steps still wait after return()');
    }
    await Promise.all(steps);
  }

  async #stream(): Promise<void> {
    const { link } = this;
    const { random, cancels, session } = link;
    if (this.#deadReadable === session || link.isClosed) return;
    const reader = link.socket.readable.getReader();
    const cancelsIt = random.chance(0.05);
    let isCancelled = false;
    for (let left = random.between(1, 10); left > 0; left--) {
      const read = link.track('read', reader.read()).then(
        ({ done, value }) => {
          if (value !== undefined) this.#arrived(value, value.length);
          if (!done) return;
          this.#deadReadable = session;
          if (!isCancelled) this.#end();
          left = 1;
        },
        (error) => {
          this.#deadReadable = session;
          this.#failed(error, undefined, cancels);
          left = 1;
        },
      );
      if (cancelsIt && left === 1 && this.#deadReadable !== session) {
        await turn();
        if (this.#deadReadable !== session) {
          isCancelled = true;
          await link.track('cancel of the stream', reader.cancel()).catch(() => {});
          this.#deadReadable = session;
        }
      }
      await read;
    }
    reader.releaseLock();
  }

  /** @param data the message, or its beginning */
  #arrived(data: Uint8Array, length: number, { peeks = false, delivered }: Style = {}): void {
    const { link } = this;
    this.#ends = 0;
    const before = this.#nextLength;
    if (before !== undefined && before !== length) {
      link.fault(`a message of ${length} bytes after a message of ${before} bytes was announced`);
    }
    this.#nextLength = peeks ? length : undefined;
    link.count(peeks ? 'peeked' : 'received');
    if (length === 0) link.count('empty');
    if (this.#wasReset) link.fault('a message after ECONNRESET');
    if (this.#isOver) link.fault('a message after the end of file');
    if (this.#sawGoodbye) link.fault('a message after the last one');
    if (length === 0) {
      if (!this.#delivers) link.fault('an empty message was delivered');
      this.#checkDescriptors([], delivered);
      if (!peeks) link.ledger.received(EMPTY);
      return;
    }
    let header: Header;
    try {
      header = decode(data.subarray(0, Math.min(length, data.length)), length);
    } catch (error) {
      this.#checkDescriptors(undefined, delivered);
      link.fault(String(error));
      return;
    }
    const { connection, side, sequence, isLast, inodes } = header;
    if (connection !== link.connection || side === link.side) {
      link.fault(`a message of connection ${connection}, side ${side}`);
    }
    this.#checkDescriptors(inodes, delivered);
    if (sequence <= this.#last) link.fault(`message ${sequence} came after message ${this.#last}`);
    if (this.#nextSequence !== undefined && sequence !== this.#nextSequence) {
      link.fault(`message ${sequence} was received where message ${this.#nextSequence} was peeked at`);
    }
    this.#nextSequence = peeks ? sequence : undefined;
    if (peeks) return;
    this.#last = sequence;
    link.ledger.received(sequence);
    this.#sawGoodbye = isLast;
  }

  #closeKept(): void {
    for (const fd of this.#kept.splice(0)) fd.close();
  }

  #checkDescriptors(inodes: readonly bigint[] | undefined, delivered: Delivered | undefined): void {
    if (delivered === undefined) return;
    const { link } = this;
    const { fds, controlTruncated, maxFds } = delivered;
    if (inodes !== undefined) {
      const expected = Math.min(inodes.length, maxFds);
      link.count('descriptors received', expected);
      link.count('descriptors refused', inodes.length - expected);
      if (fds.length !== expected) {
        link.fault(`${fds.length} descriptors of ${inodes.length}, at most ${maxFds}`);
      }
      if (controlTruncated !== inodes.length > maxFds) {
        link.fault(
          `controlTruncated ${controlTruncated} with ${inodes.length} descriptors, at most ${maxFds}`,
        );
      }
      fds.forEach(({ fd }, i) => {
        if (inodeOf(fd) !== inodes[i])
          link.fault(`descriptor ${i} is inode ${inodeOf(fd)}, not ${inodes[i]}`);
      });
    }
    this.#kept.push(...fds);
    if (this.#kept.length > MOST_KEPT || link.random.chance(0.3)) this.#closeKept();
  }

  #failed(
    error: Failure,
    signal: AbortSignal | undefined,
    cancels: number,
    room?: number,
    peeks = false,
  ): void {
    const { link } = this;
    if (link.wasStopped(error, signal, cancels)) return;
    const { code, messageSize } = error;
    if (code === 'EOF') {
      this.#end(peeks);
      return;
    }
    if (code === 'EMSGSIZE' && room !== undefined) {
      if (messageSize === undefined || messageSize <= room) {
        link.fault(`EMSGSIZE of a message of ${messageSize} with room for ${room}`);
      }
      if (this.#nextLength !== undefined && this.#nextLength !== messageSize) {
        link.fault(`EMSGSIZE of ${messageSize} after a message of ${this.#nextLength} was announced`);
      }
      this.#ends = 0;
      link.count('too long for the buffer');
      this.#nextLength = messageSize;
      return;
    }
    if (code === 'ECONNRESET' && link.peerMayClose && !this.#sawGoodbye) {
      if (this.#wasReset) link.fault('a second ECONNRESET');
      this.#wasReset ||= !peeks;
      link.count('reset');
      return;
    }
    link.fault(`receiving: ${error}`);
  }

  #end(peeks = false): void {
    const { link } = this;
    if (this.#nextLength !== undefined) {
      link.fault(`the end of file before a message of ${this.#nextLength} bytes that was announced`);
    }
    this.#ends++;
    const isEnd = this.#delivers || this.#sawGoodbye || this.#wasReset || this.#ends >= ENDS;
    // The end first: a thread that is terminated in between has not received an empty message.
    if (isEnd) link.ledger.ended();
    if (!this.#delivers && !peeks) link.ledger.received(EMPTY);
    if (!isEnd || this.#isOver) return;
    this.#isOver = true;
    if (!this.#sawGoodbye && !link.peerMayClose) link.fault('the end of file before the last message');
  }
}

function joined(parts: Buffer | Buffer[]): Buffer {
  return Array.isArray(parts) ? Buffer.concat(parts) : parts;
}
