import { type InspectOptions, inspect } from 'node:util';
import {
  type Buffers,
  byteLength,
  checkFlags,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkPartsToFill,
  checkPartsToSend,
  checkSignal,
  checkTimeout,
  type Data,
  type MessageOptions,
  type SignalOption,
} from '../arguments';
import type { FdSource } from '../descriptors/file-descriptor';
import { systemError } from '../errors';
import { inspectProperties } from '../inspection';
import type { Counters } from '../messages/connection';
import type { MessageBatch } from '../messages/message-batch';
import {
  type Message,
  Receive,
  type ReceivedWithFds,
  ReceiveIntoBatch,
  ReceiveMany,
  ReceiveMessage,
  ReceiveWithFds,
  receive,
  receiveMessage,
  tryReceive,
  tryReceiveData,
  tryReceiveMessage,
} from '../messages/receive-attempts';
import { Send, SendBatch, SendMany, SendWithFds, send, trySend } from '../messages/send-attempts';
import {
  checkDescriptors,
  checkLengths,
  checkMax,
  checkMaxFds,
  checkMessages,
  freeSlotsOf,
  NO_FDS,
  receiveMessageOptions,
} from '../sockets/message-arguments';
import { MessageIterator } from '../sockets/message-iterator';
import { setOption } from '../sockets/option-table';
import { BUSY_POLL } from '../sockets/options';
import type {
  ReceiveManyOptions,
  ReceiveMessageOptions,
  ReceiveMessageSyncOptions,
  SendSyncOptions,
  SeqpacketSocket,
} from '../sockets/socket';
import { EBADF, MSG_DONTWAIT, SCM_MAX_FD } from '../system/linux';
import { WOULD_BLOCK } from '../waiting/operation-queue';
import { rejection } from '../waiting/turn';
import { DIRECTIONS } from '../waiting/wait';
import { Borrow, plainBorrow } from './borrow';
import type { Borrowed } from './borrowed';
import type { Exchange } from './exchange';
import { LARGEST_CAPACITY } from './layout';
import type { Lease } from './lease';
import { WaitForMessage, WaitForRoom } from './wait';

/** The options of `wait` of a channel. */
export interface ChannelWaitOptions extends SignalOption {
  /** For `'write'`: the length in bytes of the message that must have room; 0 by default. */
  bytes?: number | undefined;
}

const CHANNEL_OPTIONS = { busyPoll: BUSY_POLL } as const;

/**
 * Messages between two processes through memory that they share, from {@link shareMemory}. It has the operations of
 * {@link SeqpacketSocket}, with the same promises: order, message boundaries, descriptors that belong to messages, waiting
 * while there is no room, and the end of file after the last message.
 *
 * It differs in this: an empty message is always distinguished from the end of file; a message can have at most half the
 * bytes of the memory, less 8; and no system call is made, unless the peer sleeps, this end has to sleep, or a message
 * has descriptors.
 *
 * The peer is not trusted. If it writes an impossible value into the shared memory, or sends an unexpected message on the
 * socket, all operations fail with `EPROTO`, and the socket is closed.
 *
 * Close the channel, or declare it with `using`.
 */
export class SharedChannel implements AsyncIterable<Buffer>, Disposable, AsyncDisposable {
  /** The socket, which the channel has taken over: for its options, such as `remoteCredentials`. */
  readonly socket: SeqpacketSocket;
  readonly #exchange: Exchange;

  /** @internal */
  constructor(exchange: Exchange) {
    this.socket = exchange.socket;
    this.#exchange = exchange;
  }

  /** Whether the channel is open: until `close()`, or until the peer has violated the format. */
  get isOpen(): boolean {
    return this.#exchange.isOpen;
  }

  /**
   * Sends one message, whole or not at all, and returns its length in bytes. Waits while there is no room. Do not change
   * the data until the promise settles.
   *
   * @throws (rejects) `EPIPE` if the peer has closed its end, which is known for certain only once the peer was to be
   *   woken; `EMSGSIZE` (with `messageSize`) if the message is longer than half the memory; `EPROTO`
   */
  send(data: Data, options?: SignalOption): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const exchange = this.#exchange;
    if (options === undefined && !exchange.isClosed) return send(exchange.sends, exchange.sender, parts);
    const signal = checkSignal(options);
    if (exchange.isClosed) return this.#closed('sendmsg');
    return exchange.sends.run(new Send(exchange.sender, parts, 0), signal);
  }

  /**
   * Sends one message together with descriptors. The caller keeps ownership of the descriptors, and can close them as
   * soon as this returns. Waits also while more than 253 descriptors would be on their way. Otherwise this works as
   * {@link send}.
   *
   * @param fds at most 253 descriptors
   * @throws (rejects) `EBADF` for a closed descriptor, `ETOOMANYREFS`
   */
  sendWithFds(data: Data, fds: readonly FdSource[], options?: SignalOption): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds, 'fds');
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('sendmsg');
    return exchange.sends.run(new SendWithFds(exchange.sender, parts, numbers, 0), signal);
  }

  /**
   * Sends several messages in order, and returns their number. If the call fails or is aborted, `messagesSent` of the
   * error is the number of messages sent.
   */
  sendMany(messages: readonly Data[], options?: SignalOption): Promise<number> {
    const parts = checkMessages(messages);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return rejection(this.#noneSent());
    return exchange.sends.run(new SendMany(exchange.sender, parts), signal);
  }

  /** Sends all messages of the batch in order: see {@link SeqpacketSocket.sendBatch}. */
  sendBatch(batch: MessageBatch, options?: SignalOption): Promise<number> {
    const slots = freeSlotsOf(batch);
    checkLengths(slots);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return rejection(this.#noneSent());
    return exchange.sends.run(new SendBatch(exchange.sender, slots), signal);
  }

  /**
   * Sends one message without waiting.
   *
   * @returns `false` if there is no room, or if other sends are waiting
   * @throws the errors of {@link sendWithFds}
   */
  trySend(data: Data, fds: readonly FdSource[] = NO_FDS): boolean {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds, 'fds');
    const { sends, sender } = this.#requireOpen('sendmsg');
    if (!sends.isEmpty) return false;
    const attempt = () =>
      numbers.length === 0 ? trySend(sender, parts, 0) : new SendWithFds(sender, parts, numbers, 0).try();
    if (attempt() !== WOULD_BLOCK) return true;
    // The peer may be gone.
    this.#exchange.look();
    return attempt() !== WOULD_BLOCK;
  }

  /**
   * Sends one message. While there is no room, the thread sleeps, and its event loop is blocked. Otherwise this works as
   * {@link send} and {@link sendWithFds}.
   *
   * @throws the errors of {@link sendWithFds}; `ETIMEDOUT` if there was no room in time, and nothing was sent; `EBUSY`
   *   while asynchronous sends wait, which it would overtake, or memory is leased
   */
  sendSync(data: Data, options?: Omit<SendSyncOptions, 'flags'>): number {
    const parts = checkPartsToSend(data, 'data');
    const { fds = NO_FDS } = checkOptions(options);
    const numbers = checkDescriptors(fds, 'options.fds');
    const timeout = checkTimeout(options);
    const exchange = this.#requireOpen('sendmsg');
    const { sender, blockingSends } = exchange;
    const attempt =
      numbers.length === 0 ? new Send(sender, parts, 0) : new SendWithFds(sender, parts, numbers, 0);
    exchange.requireNoLease();
    // A wait for descriptors in advance to be read is not known to the ring.
    if (timeout === 0 && (numbers.length > 0 || !sender.isReadyFor(byteLength(parts)))) exchange.look();
    return blockingSends.run(attempt, timeout);
  }

  /**
   * Receives one message and returns its length in bytes. Its descriptors are closed. A message that is longer than the
   * buffer is not truncated: the call rejects with `EMSGSIZE` and `messageSize`, and the next receive gets it.
   *
   * @param options `flags`: those of {@link MessageFlag}
   * @throws (rejects) `EOF` at end of file; `EMSGSIZE`; `ECONNRESET` after the last message if the peer has closed its end
   *   with unread messages; `EPROTO`
   */
  receive(buffer: Buffers, options?: MessageOptions): Promise<number> {
    const parts = checkPartsToFill(buffer, 'buffer');
    const exchange = this.#exchange;
    if (options === undefined && !exchange.isClosed) return receive(exchange, parts);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    if (exchange.isClosed) return this.#closed('recvmsg');
    if ((flags & MSG_DONTWAIT) !== 0) exchange.look();
    return exchange.receives.run(new Receive(exchange.receiver, parts, flags), signal);
  }

  /** Receives one message and at most `maxFds` descriptors: see {@link SeqpacketSocket.receiveWithFds}. */
  receiveWithFds(buffer: Buffers, maxFds: number, options?: MessageOptions): Promise<ReceivedWithFds> {
    const parts = checkPartsToFill(buffer, 'buffer');
    checkInteger(maxFds, 'maxFds', 0, SCM_MAX_FD);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('recvmsg');
    if ((flags & MSG_DONTWAIT) !== 0) exchange.look();
    return exchange.receives.run(new ReceiveWithFds(exchange.receiver, parts, maxFds, flags), signal);
  }

  /** Receives one whole message: see {@link SeqpacketSocket.receiveMessage}. */
  receiveMessage(options?: ReceiveMessageOptions): Promise<Message> {
    const exchange = this.#exchange;
    if (options === undefined && !exchange.isClosed) return receiveMessage(exchange);
    const { maxFds, signal } = receiveMessageOptions(options);
    if (exchange.isClosed) return this.#closed('recvmsg');
    return exchange.receives.run(new ReceiveMessage(exchange.receiver, maxFds), signal);
  }

  /** Receives between 1 and `max` messages, and waits if there are none. Their descriptors are closed. */
  receiveMany(options?: ReceiveManyOptions): Promise<Buffer[]> {
    const max = checkMax(options);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('recvmsg');
    return exchange.receives.run(new ReceiveMany(exchange.receiver, max), signal);
  }

  /** Receives between 1 and `batch.capacity` messages into the batch: see {@link SeqpacketSocket.receiveBatch}. */
  receiveBatch(batch: MessageBatch, options?: SignalOption): Promise<number> {
    const slots = freeSlotsOf(batch);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('recvmsg');
    return exchange.receives.run(new ReceiveIntoBatch(exchange.receiver, slots), signal);
  }

  /**
   * Receives one message without waiting. Its descriptors are closed.
   *
   * @returns the length in bytes, or `null` if there is no message or other receives are waiting
   * @throws the errors of {@link receive}
   */
  tryReceive(buffer: Buffers): number | null {
    const parts = checkPartsToFill(buffer, 'buffer');
    const exchange = this.#requireOpen('recvmsg');
    if (!exchange.receives.isEmpty) return null;
    const bytes = tryReceive(exchange.receiver, parts, 0);
    if (bytes !== WOULD_BLOCK) return bytes;
    // The end of file is on the socket.
    exchange.look();
    const again = tryReceive(exchange.receiver, parts, 0);
    return again === WOULD_BLOCK ? null : again;
  }

  /**
   * Receives one whole message. While there is none, the thread sleeps, and its event loop is blocked. Otherwise this
   * works as {@link receiveMessage}.
   *
   * @throws the errors of {@link receiveMessage}; `ETIMEDOUT` if there was no message in time, and none was taken; `EBUSY`
   *   while asynchronous receives wait, which it would overtake
   */
  receiveMessageSync(options?: ReceiveMessageSyncOptions): Message {
    const maxFds = checkMaxFds(options);
    const timeout = checkTimeout(options);
    const exchange = this.#requireOpen('recvmsg');
    if (timeout === 0) exchange.look();
    return exchange.blockingReceives.run(new ReceiveMessage(exchange.receiver, maxFds), timeout);
  }

  /** Iterates over the messages until the end of file: see {@link SeqpacketSocket.messages}. */
  messages(options?: ReceiveMessageOptions): AsyncIterableIterator<Message> {
    const { maxFds, signal } = receiveMessageOptions(options);
    return new MessageIterator(
      () => this.#source(),
      (receiver) => tryReceiveMessage(receiver, maxFds),
      signal,
    );
  }

  /** Iterates over the data of the messages; see {@link messages}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return new MessageIterator(() => this.#source(), tryReceiveData);
  }

  /**
   * Lends memory in the channel for one message, so that the message need not be copied into it. There is at most one
   * lease at a time. Its place in the order is that of this call: later sends wait until it is sent or cancelled.
   *
   * @param bytes the maximum length of the message
   * @throws `EAGAIN` if there is no room now, if sends are waiting, or if memory is lent already: `wait('write', { bytes
   *   })` waits for room; `EMSGSIZE`, `EPIPE`, `EPROTO`, `EBADF`
   */
  lease(bytes: number): Lease {
    checkInteger(bytes, 'bytes', 0, LARGEST_CAPACITY);
    return this.#requireOpen('sendmsg').lease(bytes);
  }

  /**
   * Receives the next message in place, without copying it. Its descriptors are closed. Several messages can be borrowed
   * at a time. Their memory, and that of all messages after the first of them, is given back to the peer when they are
   * released.
   *
   * **A peer that is not trusted can change a message while it is borrowed.** Copy what is checked and then used.
   *
   * @throws (rejects) the errors of {@link receiveMessage}
   */
  borrow(options?: SignalOption): Promise<Borrowed> {
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('recvmsg');
    const { receives, receiver } = exchange;
    if (signal === undefined) return receives.runPlain(plainBorrow, receiver, undefined);
    return receives.run(new Borrow(receiver), signal);
  }

  /**
   * Waits until a receive or a send would not have to wait, without receiving or sending.
   *
   * `'read'` completes if there is a message, the end of file or an error. `'write'` completes if there is room for a
   * message of `bytes` bytes, or if a send would fail.
   */
  wait(what: 'read' | 'write', options?: ChannelWaitOptions): Promise<void> {
    checkOneOf(what, 'what', DIRECTIONS);
    const { bytes = 0 } = checkOptions(options);
    checkInteger(bytes, 'options.bytes', 0, LARGEST_CAPACITY);
    const signal = checkSignal(options);
    const exchange = this.#exchange;
    if (exchange.isClosed) return this.#closed('poll');
    const { receives, receiver, sends, sender, name } = exchange;
    if (what === 'read') return receives.run(new WaitForMessage(receiver, name), signal);
    return sends.run(new WaitForRoom(sender, bytes, name), signal);
  }

  /**
   * Ends sending. The peer receives what was sent before, and then the end of file. Waiting sends reject with `EPIPE`, and
   * a lease is cancelled. Receiving goes on. A second call does nothing.
   *
   * @throws `EBADF` if the channel is not open; `EPROTO`
   */
  shutdown(what: 'send'): void {
    checkOneOf(what, 'what', ['send'] as const);
    this.#requireOpen('shutdown').shutDown();
  }

  /**
   * Closes the channel, its memory and its socket. Waiting operations reject with `ECANCELED`. What was sent before is
   * still delivered to the peer. Views of leased and borrowed memory then have length 0. A second call does nothing.
   *
   * Call this also after `EPROTO`: memory that is leased or borrowed is mapped until then, or until it is given back.
   */
  close(): void {
    this.#exchange.close();
  }

  /** Rejects all waiting operations with `ECANCELED`. No message is lost, and the channel remains usable. */
  cancel(): void {
    if (!this.#exchange.isClosed) this.#exchange.cancel();
  }

  /** Makes waiting operations keep the process alive, which is the default. Returns this object. */
  ref(): this {
    this.socket.ref();
    return this;
  }

  /** Makes waiting operations not keep the process alive. Returns this object. */
  unref(): this {
    this.socket.unref();
    return this;
  }

  /**
   * The numbers of messages and bytes since the channel was made, and of waiting operations.
   *
   * @throws `EBADF` if the channel is not open
   */
  get counters(): Counters & { pendingSends: number; pendingReceives: number } {
    const { sender, receiver, sends, receives } = this.#requireOpen('counters');
    return {
      messagesSent: sender.messagesSent,
      bytesSent: sender.bytesSent,
      messagesReceived: receiver.messagesReceived,
      bytesReceived: receiver.bytesReceived,
      pendingSends: sends.length,
      pendingReceives: receives.length,
    };
  }

  /**
   * Sets how long a receive that finds no message polls the memory before it sleeps, in microseconds; 0 by default. See
   * `busyPoll` of {@link SettableSocketOptions}. Polling makes no system call.
   */
  setOption(name: 'busyPoll', value: number): void {
    setOption(CHANNEL_OPTIONS, name, () => this.#requireOpen('setsockopt'), value);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const properties: Record<string, () => unknown> = { isOpen: () => this.isOpen };
    if (this.isOpen) {
      properties['counters'] = () => this.counters;
      properties['socket'] = () => this.socket;
    }
    return inspectProperties(this, properties, depth, options);
  }

  /** The receiving side; undefined once the channel was closed. After a failure, each receive fails with its error. */
  #source(): Exchange | undefined {
    return this.#exchange.isClosed ? undefined : this.#exchange;
  }

  #requireOpen(syscall: string): Exchange {
    const exchange = this.#exchange;
    if (exchange.isClosed) throw notOpen(syscall);
    return exchange;
  }

  #closed(syscall: string): Promise<never> {
    return rejection(notOpen(syscall));
  }

  #noneSent(): Error {
    return Object.assign(notOpen('sendmsg'), { messagesSent: 0 });
  }
}

function notOpen(syscall: string): Error {
  return systemError(syscall, -EBADF, undefined, 'the channel is closed');
}
