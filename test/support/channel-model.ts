/**
 * A model of a channel: what was sent in each direction and not received yet. Room is not modelled to the byte. A send
 * may wait exactly as long as the ring is not empty, and never more bytes are on their way than the ring has.
 */
import assert from 'node:assert/strict';
import { fstatSync, openSync } from 'node:fs';
import {
  type Borrowed,
  type FileDescriptor,
  type Lease,
  MessageBatch,
  pair,
  type SharedChannel,
  shareMemory,
} from 'seqpacket';
import { openDescriptors } from './descriptors.js';
import { scratchPath } from './scratch.js';

/** The codes of operations that have had no effect. */
const WITHOUT_EFFECT = ['ABORT_ERR', 'ECANCELED'];

interface Sent {
  readonly data: Buffer;
  readonly fds: readonly number[];
}

/** One send, and the messages of it that were not received yet. */
interface Sending {
  messages: Sent[];
  received: number;
  isPending: boolean;
}

const files = [0, 1].map((index) => openSync(scratchPath(`file-${index}`), 'w+'));
const inodes = files.map((fd) => fstatSync(fd).ino);

const recordBytes = (length: number) => (length + 15) & ~7;

/** One direction. */
class Direction {
  sendings: Sending[] = [];
  /** Messages that were received in place. */
  readonly borrowed = new Map<Borrowed, number>();
  lease: { lease: Lease; sending: Sending } | undefined;
  isEnded = false;
  pendingReceives = 0;

  constructor(readonly capacity: number) {}

  get first(): Sent | undefined {
    return this.sendings.find(({ messages }) => messages.length > 0)?.messages[0];
  }

  /** Records a call that sends. */
  begin(messages: Sent[]): Sending {
    const sending = { messages, received: 0, isPending: true };
    this.sendings.push(sending);
    return sending;
  }

  /** Records the end of a send, of which the first `count` messages were sent. */
  finish(sending: Sending, count: number): void {
    assert.ok(sending.received <= count, 'a message was received that was not sent');
    sending.messages.splice(count - sending.received);
    sending.isPending = false;
    this.#removeFinished();
  }

  #removeFinished(): void {
    this.sendings = this.sendings.filter((each) => each.isPending || each.messages.length > 0);
  }

  /** Removes the next message, and compares it with the one that was received. */
  received(data: Buffer, fds: readonly FileDescriptor[] | undefined, maxFds: number): void {
    const sending = this.sendings.find(({ messages }) => messages.length > 0);
    assert.ok(sending !== undefined, `${data.length} bytes were received, and none were sent`);
    const expected = sending.messages.shift() as Sent;
    sending.received++;
    this.#removeFinished();
    assert.ok(data.equals(expected.data), `received ${describe(data)} instead of ${describe(expected.data)}`);
    if (fds === undefined) return;
    const numbers = fds.map(({ fd }) => inodes.indexOf(fstatSync(fd).ino));
    for (const each of fds) each.close();
    assert.deepEqual(numbers, expected.fds.slice(0, maxFds));
  }

  /** The bytes of the ring that are surely in use. */
  get bytesInUse(): number {
    let bytes = 0;
    for (const { messages, isPending } of this.sendings) {
      if (!isPending) for (const { data } of messages) bytes += recordBytes(data.length);
    }
    for (const length of this.borrowed.values()) bytes += recordBytes(length);
    return bytes;
  }

  /** Whether the ring is surely empty. A waiting send of several messages may have sent some. */
  get isEmpty(): boolean {
    if (this.borrowed.size > 0 || this.lease !== undefined) return false;
    return this.sendings.every(({ isPending, messages }) => isPending && messages.length <= 1);
  }
}

function describe(data: Buffer): string {
  return `${data.length} bytes of ${data[0]}`;
}

/** Two ends and the model of both directions. */
export class ChannelWorld {
  readonly ends: readonly SharedChannel[];
  /** By the end that sends. */
  readonly directions: readonly Direction[];
  #controller = new AbortController();
  #messages = 0;
  #failure: unknown;
  readonly #iterators: AsyncIterator<Buffer>[];
  readonly #isClosed = [false, false];
  steps = 0;

  private constructor(
    ends: readonly SharedChannel[],
    capacity: number,
    /** The number of descriptors before. */
    private readonly descriptors: number,
  ) {
    this.ends = ends;
    this.directions = ends.map(() => new Direction(capacity));
    this.#iterators = ends.map((end) => end[Symbol.asyncIterator]());
  }

  static async create(capacity: number): Promise<ChannelWorld> {
    const descriptors = openDescriptors().size;
    const sockets = pair();
    const ends = await Promise.all(sockets.map((each) => shareMemory(each, { bytes: capacity })));
    return new ChannelWorld(ends, capacity, descriptors);
  }

  /** Lets the event loop turn until everything has settled that must. */
  async turn(patience = 1000): Promise<void> {
    const deadline = performance.now() + patience;
    do {
      for (let i = 0; i < 3; i++) await new Promise(setImmediate);
      this.check();
      if (performance.now() > deadline && this.#owed() !== undefined) assert.fail(this.#owed());
    } while (this.#owed() !== undefined);
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    for (const { bytesInUse, capacity } of this.directions) assert.ok(bytesInUse <= capacity);
  }

  /** An operation that must not wait any longer. */
  #owed(): string | undefined {
    for (const [index, direction] of this.directions.entries()) {
      if (this.#isClosed[index] || this.#isClosed[1 - index]) continue;
      const { sendings, pendingReceives, isEmpty, first } = direction;
      if (isEmpty && sendings.length > 0) return 'a send waits, and the ring is empty';
      if (pendingReceives === 0) continue;
      const hasMessage = sendings.some((each) => !each.isPending && each.messages.length > 0);
      if (hasMessage) return 'a receive waits, and there is a message';
      // Either the message is in the ring, or the ring is empty and has room for it.
      const isBlocked = direction.lease !== undefined || direction.borrowed.size > 0;
      if (first !== undefined && !isBlocked) return 'a send and a receive wait for each other';
      if (first === undefined && direction.isEnded) return 'a receive waits at the end of file';
    }
    return undefined;
  }

  #message(length: number, fds: readonly number[] = []): Sent {
    return { data: Buffer.alloc(length, ++this.#messages), fds };
  }

  #longest(end: number): number {
    return (this.directions[end] as Direction).capacity / 2 - 8;
  }

  /** Runs a check of a settled operation, and keeps the first failure. */
  #checking(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** Records how a send has failed: of its messages, `messagesSent` were sent, or none. */
  #failedSend(end: number, sending: Sending, error: NodeJS.ErrnoException & { messagesSent?: number }): void {
    const direction = this.directions[end] as Direction;
    const { code = '' } = error;
    const isGone = direction.isEnded || this.#isClosed[0] || this.#isClosed[1];
    const isTooLong = sending.messages.some(({ data }) => data.length > this.#longest(end));
    const isExpected =
      WITHOUT_EFFECT.includes(code) ||
      (code === 'EPIPE' && isGone) ||
      (code === 'EBADF' && this.#isClosed[end]) ||
      (code === 'EMSGSIZE' && isTooLong) ||
      ((code === 'ETIMEDOUT' || code === 'EBUSY') && !direction.isEmpty) ||
      (code === 'EBUSY' && direction.sendings.some(({ isPending }) => isPending));
    if (!isExpected) throw error;
    direction.finish(sending, error.messagesSent ?? 0);
  }

  send(
    end: number,
    count: number,
    call: (channel: SharedChannel) => Promise<unknown>,
    messages: Sent[],
  ): void {
    const direction = this.directions[end] as Direction;
    const sending = direction.begin(messages);
    call(this.ends[end] as SharedChannel).then(
      () => this.#checking(() => direction.finish(sending, count)),
      (error) => this.#checking(() => this.#failedSend(end, sending, error)),
    );
  }

  /** How a receive may fail: at the end of file, without a message, or because it was cancelled. */
  #failedReceive(end: number, error: NodeJS.ErrnoException & { messageSize?: number }, room: number): void {
    const { code = '' } = error;
    const direction = this.directions[1 - end] as Direction;
    if (WITHOUT_EFFECT.includes(code) || (code === 'EBADF' && this.#isClosed[end])) return;
    if (code === 'EMSGSIZE') {
      assert.ok((error.messageSize as number) > room);
      assert.equal(error.messageSize, direction.first?.data.length);
      return;
    }
    if (code === 'ETIMEDOUT' || code === 'EBUSY') return;
    const isOver = direction.isEnded || this.#isClosed[1 - end];
    if (!isOver || (code !== 'EOF' && code !== 'ECONNRESET')) throw error;
    const left = direction.sendings.filter((each) => !each.isPending);
    assert.deepEqual(left, [], 'messages were sent before the end of file');
    if (code === 'ECONNRESET') assert.ok(this.#isClosed[1 - end]);
  }

  receive<Result>(
    end: number,
    room: number,
    call: (channel: SharedChannel) => Promise<Result>,
    settled: (direction: Direction, result: Result) => void,
  ): void {
    const direction = this.directions[1 - end] as Direction;
    direction.pendingReceives++;
    call(this.ends[end] as SharedChannel).then(
      (result) => {
        direction.pendingReceives--;
        this.#checking(() => settled(direction, result));
      },
      (error) => {
        direction.pendingReceives--;
        this.#checking(() => this.#failedReceive(end, error, room));
      },
    );
  }

  /** Performs the operation with this name. */
  operate(name: keyof typeof OPERATIONS, end: number, size: number, count: number): void {
    this.steps++;
    OPERATIONS[name](this, end, size, count);
  }

  /** A length: mostly short, sometimes the longest, rarely too long. */
  length(end: number, size: number): number {
    if (size < 700) return size % 120;
    return size < 995 ? (size * 7919) % (this.#longest(end) + 1) : this.#longest(end) + (size - 995);
  }

  messages(end: number, size: number, count: number): Sent[] {
    return Array.from({ length: count }, (_, index) =>
      this.#message(this.length(end, (size + 131 * index) % 1000)),
    );
  }

  withFds(end: number, size: number, count: number): Sent {
    const fds = Array.from({ length: count }, (_, index) => (size + index) % 2);
    return this.#message(this.length(end, size), fds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller.abort();
    this.#controller = new AbortController();
  }

  /** Makes a synchronous send: true or no error if it was sent. */
  sendNow(end: number, message: Sent, call: (channel: SharedChannel) => unknown): void {
    const direction = this.directions[end] as Direction;
    const wasEmpty = direction.isEmpty && direction.sendings.length === 0;
    const sending = direction.begin([message]);
    this.#checking(() => {
      try {
        const isSent = call(this.ends[end] as SharedChannel) !== false;
        if (!isSent) assert.ok(!wasEmpty, 'no room in an empty ring');
        direction.finish(sending, isSent ? 1 : 0);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ETIMEDOUT') assert.ok(!wasEmpty);
        this.#failedSend(end, sending, error as NodeJS.ErrnoException);
      }
    });
  }

  /** Makes a synchronous receive. */
  receiveNow(end: number, room: number, call: (channel: SharedChannel) => Buffer | null, maxFds = 0): void {
    const direction = this.directions[1 - end] as Direction;
    this.#checking(() => {
      let data: Buffer | null;
      try {
        data = call(this.ends[end] as SharedChannel);
      } catch (error) {
        this.#failedReceive(end, error as NodeJS.ErrnoException, room);
        return;
      }
      if (data !== null) direction.received(data, undefined, maxFds);
      // Messages whose sending is over are there, unless other receives wait.
      else if (direction.pendingReceives === 0)
        assert.ok(!direction.sendings.some((each) => !each.isPending));
    });
  }

  lease(end: number, length: number): void {
    const direction = this.directions[end] as Direction;
    this.#checking(() => {
      const wasEmpty = direction.isEmpty && direction.sendings.length === 0;
      try {
        const lease = (this.ends[end] as SharedChannel).lease(length);
        assert.equal(direction.lease, undefined);
        const message = this.#message(length);
        message.data.copy(lease.data);
        direction.lease = { lease, sending: direction.begin([message]) };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return assert.ok(!wasEmpty, 'no room for a lease in an empty ring');
        if (code === 'EMSGSIZE') return assert.ok(length > this.#longest(end));
        const isGone = direction.isEnded || this.#isClosed[0] || this.#isClosed[1];
        if (!isGone || (code !== 'EPIPE' && code !== 'EBADF')) throw error;
      }
    });
  }

  /** Ends the lease, by sending or cancelling it. */
  endLease(end: number, isSent: boolean): void {
    const direction = this.directions[end] as Direction;
    const leased = direction.lease;
    if (leased === undefined) return;
    direction.lease = undefined;
    this.#checking(() => {
      try {
        if (isSent) leased.lease.send();
        else leased.lease.cancel();
        direction.finish(leased.sending, isSent ? 1 : 0);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const isGone = direction.isEnded || this.#isClosed[0] || this.#isClosed[1];
        if (!isGone || (code !== 'EPIPE' && code !== 'ERR_INVALID_STATE')) throw error;
        direction.finish(leased.sending, 0);
      }
    });
  }

  release(end: number, index: number): void {
    const { borrowed } = this.directions[1 - end] as Direction;
    const chosen = [...borrowed.keys()][index % Math.max(1, borrowed.size)];
    chosen?.release();
    if (chosen !== undefined) borrowed.delete(chosen);
  }

  next(end: number): Promise<IteratorResult<Buffer>> {
    return (this.#iterators[end] as AsyncIterator<Buffer>).next();
  }

  shutdown(end: number): void {
    if (this.#isClosed[end]) return;
    const direction = this.directions[end] as Direction;
    if (direction.lease !== undefined) this.endLease(end, false);
    (this.ends[end] as SharedChannel).shutdown('send');
    direction.isEnded = true;
  }

  close(end: number): void {
    const direction = this.directions[end] as Direction;
    this.#isClosed[end] = true;
    if (direction.lease !== undefined) direction.finish(direction.lease.sending, 0);
    direction.lease = undefined;
    (this.ends[end] as SharedChannel).close();
  }

  get isHalfClosed(): boolean {
    return this.#isClosed.includes(true);
  }

  /** Receives everything that is left, and closes both ends. */
  async finish(): Promise<void> {
    await this.turn();
    for (const end of [0, 1]) {
      if (this.#isClosed[end]) continue;
      const direction = this.directions[1 - end] as Direction;
      for (const each of direction.borrowed.keys()) each.release();
      direction.borrowed.clear();
      this.endLease(1 - end, true);
      // Each message needs one receive. A send of no messages needs none.
      const left = direction.sendings.reduce((sum, { messages }) => sum + messages.length, 0);
      for (let i = 0; i < left; i++) {
        this.receive(
          end,
          Number.POSITIVE_INFINITY,
          (channel) => channel.receiveMessage({ maxFds: 9 }),
          (_, message) => direction.received(message.data, message.fds, 9),
        );
        await this.turn();
        for (const each of direction.borrowed.keys()) each.release();
        direction.borrowed.clear();
      }
      if (!this.#isClosed[1 - end]) assert.deepEqual(direction.sendings, []);
    }
    for (const end of [0, 1]) this.close(end);
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    this.check();
    assert.equal(openDescriptors().size, this.descriptors);
  }
}

type Operation = (world: ChannelWorld, end: number, size: number, count: number) => void;

/** Each operation, for a random end, size (0 to 999) and count (0 to 9). */
export const OPERATIONS = {
  send(world, end, size, count) {
    const messages = [world.withFds(end, size, 0)];
    const options = count < 3 ? { signal: world.signal } : undefined;
    world.send(end, 1, (channel) => channel.send(messages[0]?.data as Buffer, options), messages);
  },
  sendWithFds(world, end, size, count) {
    const message = world.withFds(end, size, count);
    const numbers = message.fds.map((each) => files[each] as number);
    world.send(end, 1, (channel) => channel.sendWithFds(message.data, numbers), [message]);
  },
  sendMany(world, end, size, count) {
    const messages = world.messages(end, size, count);
    const data = messages.map((each) => each.data);
    const options = size % 3 === 0 ? { signal: world.signal } : undefined;
    world.send(end, count, (channel) => channel.sendMany(data, options), messages);
  },
  sendBatch(world, end, size, count) {
    const batch = new MessageBatch({ messages: 9, bytes: 120 });
    const messages = Array.from({ length: count }, (_, index) => world.withFds(end, (size + index) % 120, 0));
    for (const { data } of messages) batch.push(data);
    world.send(end, messages.length, (channel) => channel.sendBatch(batch), messages);
  },
  trySend(world, end, size, count) {
    const message = world.withFds(end, size, count % 3);
    const numbers = message.fds.map((each) => files[each] as number);
    world.sendNow(end, message, (channel) => channel.trySend(message.data, numbers));
  },
  sendSync(world, end, size) {
    const message = world.withFds(end, size, 0);
    world.sendNow(end, message, (channel) => channel.sendSync(message.data, { timeout: 0 }));
  },
  lease: (world, end, size) => world.lease(end, world.length(end, size)),
  endLease: (world, end, _size, count) => world.endLease(end, count < 7),
  receive(world, end, size, count) {
    const buffer = Buffer.alloc(count < 3 ? size % 100 : 8192);
    const options = count % 2 === 0 ? { signal: world.signal } : undefined;
    world.receive(
      end,
      buffer.length,
      // Not by an asynchronous function, whose promise would settle later than those of other operations.
      (channel) => channel.receive(buffer, options),
      (direction, length) => direction.received(buffer.subarray(0, length), undefined, 0),
    );
  },
  receiveMessage(world, end, size, count) {
    const options = { maxFds: count, ...(size % 2 === 0 && { signal: world.signal }) };
    world.receive(
      end,
      Number.POSITIVE_INFINITY,
      (channel) => channel.receiveMessage(options),
      (direction, { data, fds }) => direction.received(data, fds, count),
    );
  },
  receiveMany(world, end, _size, count) {
    world.receive(
      end,
      Number.POSITIVE_INFINITY,
      (channel) => channel.receiveMany({ max: 1 + count }),
      (direction, messages) => {
        assert.ok(messages.length >= 1 && messages.length <= 1 + count);
        for (const data of messages) direction.received(data, undefined, 0);
      },
    );
  },
  receiveBatch(world, end, size, count) {
    const batch = new MessageBatch({ messages: 1 + count, bytes: 1 + (size % 200) });
    world.receive(
      end,
      1 + (size % 200),
      (channel) => channel.receiveBatch(batch),
      (direction, length) => {
        assert.equal(length, batch.length);
        for (const data of batch) direction.received(data, undefined, 0);
      },
    );
  },
  borrow(world, end) {
    world.receive(
      end,
      Number.POSITIVE_INFINITY,
      (channel) => channel.borrow(),
      (direction, borrowed) => {
        const { data } = borrowed;
        direction.received(data, undefined, 0);
        direction.borrowed.set(borrowed, data.length);
      },
    );
  },
  release: (world, end, size) => world.release(end, size),
  next(world, end) {
    world.receive(
      end,
      Number.POSITIVE_INFINITY,
      () => world.next(end),
      (direction, { done, value }) => {
        if (done !== true) direction.received(value, undefined, 0);
      },
    );
  },
  tryReceive(world, end, size, count) {
    const buffer = Buffer.alloc(count < 3 ? size % 100 : 8192);
    world.receiveNow(end, buffer.length, (channel) => {
      const length = channel.tryReceive(buffer);
      return length === null ? null : buffer.subarray(0, length);
    });
  },
  receiveMessageSync(world, end) {
    const call = (channel: SharedChannel) => channel.receiveMessageSync({ timeout: 0 }).data;
    world.receiveNow(end, Number.POSITIVE_INFINITY, call);
  },
  abort: (world) => world.abort(),
  cancel: (world, end) => void world.ends[end]?.cancel(),
  shutdown: (world, end) => world.shutdown(end),
  close: (world, end, size) => {
    if (size > 800) world.close(end);
  },
} satisfies Record<string, Operation>;
