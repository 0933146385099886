import { type InspectOptions, inspect } from 'node:util';
import type { ConnectionLimit } from '../accepting/connection-limit';
import {
  type Address,
  addressBuffer,
  decodeAddress,
  parseAddress,
  type SocketPath,
  UNSPECIFIED_ADDRESS,
} from '../addresses/address';
import {
  type Buffers,
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
  type TimeoutOption,
} from '../arguments';
import type { FdSource, FileDescriptor } from '../descriptors/file-descriptor';
import { onConnect, publishLater } from '../diagnostics';
import { AbortError, invalidState, systemError } from '../errors';
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
  receiveWithFds,
  tryReceive,
  tryReceiveData,
  tryReceiveMessage,
} from '../messages/receive-attempts';
import {
  Send,
  SendBatch,
  SendMany,
  SendWithFds,
  send,
  sendWithFds,
  trySend,
} from '../messages/send-attempts';
import {
  AF_UNIX,
  EALREADY,
  EBUSY,
  EINVAL,
  ENOTCONN,
  FIONREAD,
  SCM_MAX_FD,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCKET_TYPE,
} from '../system/linux';
import { os } from '../system/os';
import { peerCredentials } from '../system/peer-credentials';
import { complete, tryOnce } from '../waiting/blocking';
import { WOULD_BLOCK } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import { rejection } from '../waiting/turn';
import { DIRECTIONS, WaitForReading, WaitForWriting } from '../waiting/wait';
import { BackOff, backOffSleep, Connect } from './connect-attempt';
import { checkSeqpacket, Endpoint, isListening } from './endpoint';
import {
  checkDescriptors,
  checkLengths,
  checkMax,
  checkMaxFds,
  checkMessages,
  freeSlotsOf,
  NO_FDS,
  receiveMessageOptions,
} from './message-arguments';
import { MessageIterator } from './message-iterator';
import { getOption, setOption } from './option-table';
import { type SettableSocketOptions, SOCKET_OPTIONS, type SocketOptions } from './options';
import { Session } from './session';
import { createReadable, createWritable } from './web-streams';

export interface ReceiveMessageOptions extends SignalOption {
  /** The maximum number of descriptors to receive: 0 to 253; 0 by default. */
  maxFds?: number | undefined;
}

export interface ReceiveManyOptions extends SignalOption {
  /** The maximum number of messages to receive: 64 by default, and never more than 64. */
  max?: number | undefined;
}

export interface ReceiveSyncOptions extends TimeoutOption {
  /** Flags of recvmsg(2), combined with `|`: see `MessageFlag`. 0 by default. */
  flags?: number | undefined;
}

export interface SendSyncOptions extends TimeoutOption {
  /** At most 253 descriptors to send with the message. The caller keeps ownership of them. */
  fds?: readonly FdSource[] | undefined;
  /** Flags of sendmsg(2), combined with `|`: see `MessageFlag`. 0 by default. */
  flags?: number | undefined;
}

export interface ReceiveMessageSyncOptions extends TimeoutOption {
  /** The maximum number of descriptors to receive: 0 to 253; 0 by default. */
  maxFds?: number | undefined;
}

export interface ReceiveManySyncOptions extends TimeoutOption {
  /** The maximum number of messages to receive: 64 by default, and never more than 64. */
  max?: number | undefined;
}

const SHUTDOWN_HOW = { receive: SHUT_RD, send: SHUT_WR, both: SHUT_RDWR } as const;

/**
 * Creates a socket that owns an accepted descriptor, and counts towards the limit until it is closed; for the acceptor.
 */
export let acceptedSocket: (
  fd: number,
  localPath: string | Buffer,
  limit?: ConnectionLimit,
) => SeqpacketSocket;

/**
 * Checks that a socket is open, and that no operation waits on it.
 *
 * @throws `EBADF`, `EBUSY`; `ERR_INVALID_STATE` if it holds a message
 */
export let requireUnused: (socket: SeqpacketSocket, syscall: string) => void;

/**
 * Lends the state of a socket, for the hand-shake of a channel. The socket's own operations fail with `EBUSY` until it is
 * closed.
 */
export let lendSession: (socket: SeqpacketSocket) => Session;

/** Whether the state is still lent: the socket was not closed since. */
export let isLent: (socket: SeqpacketSocket, session: Session) => boolean;

/**
 * Lends the descriptor of a socket whose state is lent to a channel, which receives and sends from then on. The socket
 * keeps ownership.
 *
 * @param session the state that was lent
 * @param closing called before the descriptor is closed
 * @throws `EBADF` if the socket was closed since, and perhaps opened again
 */
export let lendDescriptor: (
  socket: SeqpacketSocket,
  session: Session,
  closing: () => void,
) => PolledDescriptor;

/** Connects a socket, and sleeps while the backlog is full; for `connectSync`. */
export let connectBlocking: (socket: SeqpacketSocket, path: SocketPath, timeout: number | undefined) => void;

/**
 * An AF_UNIX + SOCK_SEQPACKET socket (unix(7)): connection-oriented and ordered, with message boundaries preserved.
 *
 * Operations that can wait return promises, and do not block the event loop. Several operations may wait at the same
 * time. They are served, and their promises settle, in the order of the calls. A waiting operation keeps the process
 * alive (see `unref`), and prevents garbage collection of the socket. On a socket that is not open, operations reject
 * with `EBADF`.
 *
 * Close the socket, or declare it with `using`. If it is garbage-collected while it is open, the library closes the
 * descriptor, and emits a process warning.
 *
 * @example
 * ```ts
 * import { SeqpacketSocket } from 'seqpacket';
 *
 * const [left, right] = SeqpacketSocket.pair();
 * await left.send(Buffer.from('hello'));
 * const { data } = await right.receiveMessage();
 * console.log(String(data)); // hello
 * left.close();
 * right.close();
 * ```
 */
export class SeqpacketSocket extends Endpoint implements AsyncIterable<Buffer> {
  /** The state while this is open and not lent. */
  #session: Session | undefined;
  /** The state while it is lent. */
  #lent: { readonly session: Session; closing?: () => void } | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Data> | undefined;

  static {
    acceptedSocket = (fd, localPath, limit) => {
      const socket = new SeqpacketSocket();
      socket.begin(fd, localPath);
      (socket.#session as Session).slot = limit?.acquire(socket);
      return socket;
    };
    requireUnused = (socket, syscall) => {
      const session = socket.#requireSession(syscall);
      const isConnecting = session.connects?.queue.isEmpty === false;
      if (!session.receives.isEmpty || !session.sends.isEmpty || isConnecting)
        throw systemError(syscall, -EBUSY, session.name);
      socket.#requireNothingHeld(session);
    };
    lendSession = (socket) => {
      const session = socket.#requireSession('shareMemory');
      socket.#lent = { session };
      socket.#session = undefined;
      return session;
    };
    isLent = (socket, session) => socket.#lent?.session === session;
    lendDescriptor = (socket, session, closing) => {
      const lent = socket.#lent;
      if (lent?.session !== session) throw socket.notOpen('shareMemory');
      lent.closing = closing;
      return socket.requireDescriptor('shareMemory');
    };
    connectBlocking = (socket, path, timeout) => {
      const address = parseAddress(path);
      socket.open();
      const attempt = socket.#connectAttempt(socket.#requireSession('connect'), address);
      complete(attempt, tryOnce(attempt), timeout, backOffSleep());
    };
  }

  /**
   * @param fd a descriptor, whose ownership the socket takes as {@link assign} does. Without one, the socket is closed
   *   until `open()` or `connect()`
   * @throws the errors of {@link assign}
   */
  constructor(fd?: FileDescriptor) {
    super();
    if (fd !== undefined) this.assign(fd);
  }

  /**
   * Creates two sockets that are connected to each other (socketpair(2)). The caller must close both.
   *
   * @throws `EMFILE`, `ENFILE`
   */
  static pair(): [SeqpacketSocket, SeqpacketSocket] {
    const ends = new Int32Array(2);
    const result = os.socketpair(AF_UNIX, SOCKET_TYPE, 0, ends);
    if (result < 0) throw systemError('socketpair', result);
    return [acceptedSocket(ends[0] as number, ''), acceptedSocket(ends[1] as number, '')];
  }

  /**
   * The name of the peer's socket (getpeername(2)). If this object was connected by `connect`, the name is as it was
   * passed in. It is `''` if the peer's socket is unnamed or there is no peer. It is a `Buffer` only if the name is not
   * UTF-8.
   */
  get remotePath(): string | Buffer {
    const session = this.#openSession;
    if (session === undefined) return '';
    if (session.remotePath !== undefined) return session.remotePath;
    const length = os.getpeername(session.fd, addressBuffer);
    if (length === -ENOTCONN) return '';
    if (length < 0) throw systemError('getpeername', length);
    return decodeAddress(addressBuffer, length);
  }

  /**
   * Connects to a listening socket (connect(2)). Opens this socket if it is not open. The socket stays open if the
   * connect fails. While the backlog of the listener is full, this waits.
   *
   * @throws (rejects) `ECONNREFUSED` if no process listens, `ENOENT`, `EACCES`, `EPROTOTYPE` if the name is
   *   that of another type of socket, `EISCONN` if the socket is connected, `EALREADY` while another connect is pending
   */
  connect(path: SocketPath, options?: SignalOption): Promise<void> {
    const address = parseAddress(path);
    const signal = checkSignal(options);
    if (signal?.aborted) return rejection(new AbortError(signal));
    try {
      if (!this.isOpen) this.open();
      const session = this.#requireSession('connect');
      session.connects ??= new BackOff(this.keepsLoopAlive);
      const { queue } = session.connects;
      if (!queue.isEmpty) throw systemError('connect', -EALREADY, address.given);
      return queue.run(this.#connectAttempt(session, address), signal);
    } catch (error) {
      return rejection(error);
    }
  }

  /**
   * Dissolves the association with the peer (connect(2) with `AF_UNSPEC`).
   *
   * @throws `EINVAL` always, because Linux supports this only for datagram sockets
   */
  disconnect(): void {
    const session = this.#requireSession('connect');
    const result = os.connect(session.fd, UNSPECIFIED_ADDRESS);
    if (result < 0) throw systemError('connect', result);
    session.remotePath = undefined;
  }

  /**
   * Ends one or both directions of the connection, for all descriptors of the socket (shutdown(2)). After `'send'`, the
   * receives of the peer reach the end of file. After `'receive'`, its sends fail with `EPIPE`. Pending operations in
   * that direction settle.
   *
   * @throws `EBADF` if the socket is not open
   */
  shutdown(what: 'receive' | 'send' | 'both'): void {
    const how =
      SHUTDOWN_HOW[checkOneOf(what, 'what', Object.keys(SHUTDOWN_HOW) as (keyof typeof SHUTDOWN_HOW)[])];
    const session = this.#requireSession('shutdown');
    // Pending sends may have been deferred only for fairness. They are sent if there is room.
    if (how !== SHUT_RD) session.sends.flush();
    const result = os.shutdown(session.fd, how);
    if (result < 0) throw systemError('shutdown', result, session.name);
    if (how !== SHUT_RD) session.isSendingShutDown = true;
    session.receives.proceed();
    session.sends.proceed();
  }

  /**
   * Waits until a receive or a send would not have to wait, without receiving or sending (poll(2)). Waits are served in
   * order with the receives or the sends.
   *
   * `'read'` completes if there is a message, the end of file or an error. A held message, which was too long for a
   * previous buffer, counts as a message. `'write'` completes if the kernel has room for a message of any permitted
   * length, or if a send would fail. Without a peer, both complete at once, because the operation would fail at once.
   *
   * @throws (rejects) `EBADF` if the socket is not open, `ECANCELED`
   */
  wait(what: 'read' | 'write', options?: SignalOption): Promise<void> {
    checkOneOf(what, 'what', DIRECTIONS);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('poll');
    if (what === 'read') {
      const { receiver } = session;
      return session.receives.run(new WaitForReading(session, () => receiver.holdsMessage), signal);
    }
    return session.sends.run(new WaitForWriting(session, () => session.isSendingShutDown), signal);
  }

  /**
   * Receives one message (recvmsg(2)) and returns its length in bytes. Its descriptors are closed.
   *
   * Do not use the buffer until the promise settles. A message that is longer than the buffer is not truncated: the
   * call rejects with `EMSGSIZE` and `messageSize`. The next receive gets the whole message, with its descriptors.
   *
   * @throws (rejects) `EOF` at end of file, and by default for an empty message (see `emptyMessages`); `EMSGSIZE`;
   *   `ECONNRESET` after the last message if the peer closed with unread data; `ENOTCONN`
   */
  receive(buffer: Buffers, options?: MessageOptions): Promise<number> {
    const parts = checkPartsToFill(buffer, 'buffer');
    if (options === undefined && this.#session !== undefined) return receive(this.#session, parts);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new Receive(session.receiver, parts, flags), signal);
  }

  /**
   * Sends one message (sendmsg(2)), whole or not at all, and returns its length in bytes. While the kernel has no room,
   * this waits. Do not change the data until the promise settles.
   *
   * @param data a view, an `ArrayBuffer`, a `SharedArrayBuffer`, or a string, which is sent as UTF-8. An array of these
   *   is sent as one message
   * @throws (rejects) `EPIPE` if the peer has closed or shut down receiving, `EMSGSIZE` (with `messageSize`) if the
   *   message is longer than the send buffer allows, `ECONNRESET`, `ENOTCONN`
   */
  send(data: Data, options?: MessageOptions): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const session = this.#session;
    if (options === undefined && session !== undefined) return send(session.sends, session, parts);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    if (session === undefined) return this.#closed('sendmsg');
    return session.sends.run(new Send(session, parts, flags), signal);
  }

  /**
   * Receives one message and at most `maxFds` descriptors (SCM_RIGHTS in unix(7)). The caller must close them. Further
   * descriptors are closed, and `controlTruncated` is then true. It is also true if the kernel could not install all
   * descriptors, because this process has no free ones (`EMFILE`). Otherwise this works as {@link receive}.
   *
   * @param maxFds 0 to 253, the maximum number for one message in Linux
   */
  receiveWithFds(buffer: Buffers, maxFds: number, options?: MessageOptions): Promise<ReceivedWithFds> {
    const parts = checkPartsToFill(buffer, 'buffer');
    checkInteger(maxFds, 'maxFds', 0, SCM_MAX_FD);
    const session = this.#session;
    if (options === undefined && session !== undefined) return receiveWithFds(session, parts, maxFds);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveWithFds(session.receiver, parts, maxFds, flags), signal);
  }

  /**
   * Sends one message together with descriptors (SCM_RIGHTS in unix(7)). The caller keeps ownership of the descriptors,
   * and can close them as soon as this returns. Otherwise this works as {@link send}.
   *
   * @param fds at most 253 descriptors
   * @throws (rejects) `EBADF` for a closed descriptor, `ETOOMANYREFS` if too many descriptors are in flight
   */
  sendWithFds(data: Data, fds: readonly FdSource[], options?: MessageOptions): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds, 'fds');
    const session = this.#session;
    if (options === undefined && session !== undefined) {
      return sendWithFds(session.sends, session, parts, numbers);
    }
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    if (session === undefined) return this.#closed('sendmsg');
    return session.sends.run(new SendWithFds(session, parts, numbers, flags), signal);
  }

  /**
   * Receives one whole message of any length, into memory that the library provides, with at most `maxFds` descriptors
   * (0 by default). The caller must close them.
   *
   * @throws (rejects) `EOF`, `ECONNRESET`, `ENOTCONN`: see {@link receive}
   */
  receiveMessage(options?: ReceiveMessageOptions): Promise<Message> {
    if (options === undefined && this.#session !== undefined) return receiveMessage(this.#session);
    const { maxFds, signal } = receiveMessageOptions(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveMessage(session.receiver, maxFds), signal);
  }

  /**
   * Iterates over the messages until the end of file. Other errors are thrown. Leaving the loop does not close the
   * socket, and loses no message. The caller must close the descriptors.
   */
  messages(options?: ReceiveMessageOptions): AsyncIterableIterator<Message> {
    const { maxFds, signal } = receiveMessageOptions(options);
    return new MessageIterator(
      () => this.#session,
      (receiver) => tryReceiveMessage(receiver, maxFds),
      signal,
    );
  }

  /** Iterates over the data of the messages; see {@link messages}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return new MessageIterator(() => this.#session, tryReceiveData);
  }

  /**
   * Sends several messages in order, with as few system calls as the room in the kernel permits (sendmmsg(2)). Returns
   * the number of messages. If the call fails or is aborted, `messagesSent` of the error is the number of messages
   * sent.
   */
  sendMany(messages: readonly Data[], options?: SignalOption): Promise<number> {
    const parts = checkMessages(messages);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.#noneSent());
    return session.sends.run(new SendMany(session, parts), signal);
  }

  /**
   * Receives between 1 and `max` queued messages with one system call (recvmmsg(2)), and waits if there are none. If
   * messages are long (over 32 KiB), it receives one at a time, which is faster. Their descriptors are closed.
   *
   * @throws (rejects) as {@link receive}
   */
  receiveMany(options?: ReceiveManyOptions): Promise<Buffer[]> {
    const max = checkMax(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveMany(session.receiver, max), signal);
  }

  /**
   * Receives between 1 and `batch.capacity` queued messages into the batch, and waits if there are none (recvmmsg(2)).
   * Returns the number of messages. At most 64 are received at a time. The previous messages of the batch are removed.
   * Descriptors are closed.
   *
   * A message that is longer than a slot ends the batch before it. If it is the first, the call rejects with `EMSGSIZE`
   * and `messageSize`. The next receive gets the whole message.
   *
   * @throws (rejects) as {@link receive}; `ERR_INVALID_STATE` (thrown) if a waiting operation uses the batch
   */
  receiveBatch(batch: MessageBatch, options?: SignalOption): Promise<number> {
    const slots = freeSlotsOf(batch);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveIntoBatch(session.receiver, slots), signal);
  }

  /**
   * Sends all messages of the batch in order, with as few system calls as the room in the kernel permits (sendmmsg(2)).
   * Returns their number. The batch keeps its messages. If the call fails or is aborted, `messagesSent` of the error is
   * the number of messages sent.
   *
   * @throws (rejects) as {@link sendMany}; (thrown) `ERR_INVALID_STATE` if a waiting operation uses the batch,
   *   `ERR_OUT_OF_RANGE` if one of `batch.lengths` is greater than a slot
   */
  sendBatch(batch: MessageBatch, options?: SignalOption): Promise<number> {
    const slots = freeSlotsOf(batch);
    checkLengths(slots);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.#noneSent());
    return session.sends.run(new SendBatch(session, slots), signal);
  }

  /**
   * Sends one message without waiting.
   *
   * @param fds at most 253 descriptors, which the caller continues to own
   * @returns `false` if the kernel has no room, or if other sends are waiting
   * @throws the errors of {@link sendWithFds}
   */
  trySend(data: Data, fds: readonly FdSource[] = NO_FDS): boolean {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds, 'fds');
    const session = this.#requireSession('sendmsg');
    if (!session.sends.isEmpty) return false;
    const sent =
      numbers.length === 0 ? trySend(session, parts, 0) : new SendWithFds(session, parts, numbers, 0).try();
    return sent !== WOULD_BLOCK;
  }

  /**
   * Receives one message without waiting. Its descriptors are closed.
   *
   * @returns the length in bytes, or `null` if there is no message or other receives are waiting
   * @throws the errors of {@link receive}
   */
  tryReceive(buffer: Buffers): number | null {
    const parts = checkPartsToFill(buffer, 'buffer');
    const { receiver, receives } = this.#requireSession('recvmsg');
    if (!receives.isEmpty) return null;
    const bytes = tryReceive(receiver, parts, 0);
    return bytes === WOULD_BLOCK ? null : bytes;
  }

  /**
   * Sends one message (sendmsg(2)), whole or not at all, and returns its length in bytes. While the kernel has no room,
   * the thread sleeps, and its event loop is blocked. Otherwise this works as {@link send} and {@link sendWithFds}.
   *
   * @throws the errors of {@link sendWithFds}; `ETIMEDOUT` if there was no room in time, and nothing was sent; `EBUSY`
   *   while asynchronous sends wait, which it would overtake
   */
  sendSync(data: Data, options?: SendSyncOptions): number {
    const parts = checkPartsToSend(data, 'data');
    const { fds = NO_FDS } = checkOptions(options);
    const numbers = checkDescriptors(fds, 'options.fds');
    const flags = checkFlags(options);
    const timeout = checkTimeout(options);
    const session = this.#requireSession('sendmsg');
    const attempt =
      numbers.length === 0
        ? new Send(session, parts, flags)
        : new SendWithFds(session, parts, numbers, flags);
    return session.blockingSends.run(attempt, timeout);
  }

  /**
   * Receives one message (recvmsg(2)) and returns its length in bytes. Its descriptors are closed. While there is no
   * message, the thread sleeps, and its event loop is blocked. Otherwise this works as {@link receive}.
   *
   * @throws the errors of {@link receive}; `ETIMEDOUT` if there was no message in time, and none was taken; `EBUSY` while
   *   asynchronous receives wait, which it would overtake
   */
  receiveSync(buffer: Buffers, options?: ReceiveSyncOptions): number {
    const parts = checkPartsToFill(buffer, 'buffer');
    const flags = checkFlags(options);
    const timeout = checkTimeout(options);
    const { receiver, blockingReceives } = this.#requireSession('recvmsg');
    return blockingReceives.run(new Receive(receiver, parts, flags), timeout);
  }

  /**
   * Receives one whole message of any length, with at most `maxFds` descriptors (0 by default). The caller must close
   * them. While there is no message, the thread sleeps, and its event loop is blocked. Otherwise this works as
   * {@link receiveMessage}.
   *
   * @throws the errors of {@link receiveSync}
   */
  receiveMessageSync(options?: ReceiveMessageSyncOptions): Message {
    const maxFds = checkMaxFds(options);
    const timeout = checkTimeout(options);
    const { receiver, blockingReceives } = this.#requireSession('recvmsg');
    return blockingReceives.run(new ReceiveMessage(receiver, maxFds), timeout);
  }

  /**
   * Sends several messages in order, with as few system calls as the room in the kernel permits (sendmmsg(2)). Returns
   * the number of messages. While the kernel has no room, the thread sleeps, and its event loop is blocked. If the call
   * fails, `messagesSent` of the error is the number of messages sent.
   *
   * @throws the errors of {@link sendSync}. After `ETIMEDOUT`, some of the messages may have been sent. With the timeout
   *   0, as many are sent as there is room for
   */
  sendManySync(messages: readonly Data[], options?: TimeoutOption): number {
    const parts = checkMessages(messages);
    const timeout = checkTimeout(options);
    const session = this.#session;
    if (session === undefined) throw this.#noneSent();
    return session.blockingSends.run(new SendMany(session, parts), timeout);
  }

  /**
   * Receives between 1 and `max` queued messages with one system call (recvmmsg(2)). While there are none, the thread
   * sleeps, and its event loop is blocked. Otherwise this works as {@link receiveMany}.
   *
   * @throws the errors of {@link receiveSync}
   */
  receiveManySync(options?: ReceiveManySyncOptions): Buffer[] {
    const max = checkMax(options);
    const timeout = checkTimeout(options);
    const { receiver, blockingReceives } = this.#requireSession('recvmsg');
    return blockingReceives.run(new ReceiveMany(receiver, max), timeout);
  }

  /**
   * Receives between 1 and `batch.capacity` queued messages into the batch. While there are none, the thread sleeps, and
   * its event loop is blocked. Otherwise this works as {@link receiveBatch}.
   *
   * @throws the errors of {@link receiveSync} and {@link receiveBatch}
   */
  receiveBatchSync(batch: MessageBatch, options?: TimeoutOption): number {
    const slots = freeSlotsOf(batch);
    const timeout = checkTimeout(options);
    const { receiver, blockingReceives } = this.#requireSession('recvmsg');
    return blockingReceives.run(new ReceiveIntoBatch(receiver, slots), timeout);
  }

  /**
   * Sends all messages of the batch in order. While the kernel has no room, the thread sleeps, and its event loop is
   * blocked. Otherwise this works as {@link sendBatch}.
   *
   * @throws the errors of {@link sendManySync} and {@link sendBatch}
   */
  sendBatchSync(batch: MessageBatch, options?: TimeoutOption): number {
    const slots = freeSlotsOf(batch);
    checkLengths(slots);
    const timeout = checkTimeout(options);
    const session = this.#session;
    if (session === undefined) throw this.#noneSent();
    return session.blockingSends.run(new SendBatch(session, slots), timeout);
  }

  /**
   * The messages as a web stream, with one chunk for each message. It is closed at end of file. A message is received
   * only when the stream is read. Cancelling the stream does not close the socket.
   */
  get readable(): ReadableStream<Uint8Array> {
    this.#readable ??= createReadable(() => this.#session);
    return this.#readable;
  }

  /**
   * A web stream that sends each chunk as one message, with the types of {@link send}. A write completes when the
   * kernel has accepted the message. Closing or aborting the stream shuts down sending. Empty chunks are skipped,
   * unless this socket has `emptyMessages: 'deliver'`.
   */
  get writable(): WritableStream<Data> {
    this.#writable ??= createWritable(this);
    return this.#writable;
  }

  /**
   * The numbers of messages and bytes since the socket was opened, and of waiting operations.
   *
   * @throws `EBADF` if the socket is not open
   */
  get counters(): Counters & { pendingSends: number; pendingReceives: number } {
    const session = this.#requireOpen('counters');
    const { messagesSent, bytesSent, messagesReceived, bytesReceived } = session;
    return {
      messagesSent,
      bytesSent,
      messagesReceived,
      bytesReceived,
      pendingSends: session.sends.length,
      pendingReceives: session.receives.length,
    };
  }

  override cancel(): void {
    this.#openSession?.cancel();
  }

  /**
   * Returns the descriptor and releases ownership, as for every endpoint. The caller must close it. A held message,
   * which was too long for a previous buffer, would be lost. Receive it first.
   *
   * @throws `ERR_INVALID_STATE` if there is a held message; `EBADF` if the socket is not open
   */
  override release(): FileDescriptor {
    this.#requireNothingHeld(this.#requireSession('release'));
    return super.release();
  }

  /**
   * Sets an option (setsockopt(2)).
   *
   * @throws `EBADF` if the socket is not open, `EACCES`, …
   */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    setOption<Session>(SOCKET_OPTIONS, name, () => this.#requireOpen('setsockopt'), value);
  }

  /**
   * Reads an option (getsockopt(2)).
   *
   * @throws `EBADF` if the socket is not open, `ENOTCONN` if there is no peer, `ENOPROTOOPT`
   */
  getOption<Name extends keyof SocketOptions>(name: Name): SocketOptions[Name] {
    return getOption<Session>(SOCKET_OPTIONS, name, () =>
      this.#requireOpen('getsockopt'),
    ) as SocketOptions[Name];
  }

  /**
   * Reads `'bytesReadable'` (FIONREAD in ioctl(2)): the total length in bytes of the messages that can be received.
   *
   * @throws `EBADF` if the socket is not open
   */
  ioControl(command: 'bytesReadable'): number {
    checkOneOf(command, 'command', ['bytesReadable'] as const);
    const { fd, receiver } = this.#requireSession('ioctl');
    const bytes = os.ioctl(fd, FIONREAD);
    if (bytes < 0) throw systemError('ioctl', bytes);
    return bytes + receiver.heldBytes;
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const session = this.#openSession;
    const properties: Record<string, () => unknown> = { isOpen: () => this.isOpen };
    if (session !== undefined) {
      properties['fd'] = () => session.fd;
      properties['localPath'] = () => this.localPath;
      properties['remotePath'] = () => this.remotePath;
      properties['peer'] = () => peerCredentials(session.fd);
      properties['counters'] = () => this.counters;
    }
    return inspectProperties(this, properties, depth, options);
  }

  /** @internal */
  protected override opening(descriptor: PolledDescriptor): void {
    this.#session = new Session(this, descriptor);
  }

  /** @internal */
  protected override closing(): void {
    this.#lent?.closing?.();
    this.#openSession?.receiver.close();
    this.#openSession?.slot?.release();
    this.#session = undefined;
    this.#lent = undefined;
    this.#readable = undefined;
    this.#writable = undefined;
  }

  /** @internal */
  protected override setKeepsLoopAlive(value: boolean): void {
    super.setKeepsLoopAlive(value);
    const connects = this.#session?.connects;
    if (connects !== undefined) connects.keepsLoopAlive = value;
  }

  /** @internal */
  protected override checkKind(fd: number): void {
    checkSeqpacket(fd);
    // A listening socket can neither send nor receive.
    if (isListening(fd)) throw systemError('assign', -EINVAL);
  }

  #connectAttempt(session: Session, address: Address): Connect {
    return new Connect(session.fd, address, () => {
      session.remotePath = address.given;
      publishLater(onConnect, { socket: this });
    });
  }

  /** The state while this is open, also while it is lent. */
  get #openSession(): Session | undefined {
    return this.#session ?? this.#lent?.session;
  }

  #requireOpen(syscall: string): Session {
    const session = this.#openSession;
    if (session === undefined) throw this.notOpen(syscall);
    return session;
  }

  #requireSession(syscall: string): Session {
    if (this.#session === undefined) throw this.#unusable(syscall);
    return this.#session;
  }

  #requireNothingHeld({ receiver }: Session): void {
    if (!receiver.holdsMessage) return;
    throw invalidState('The socket holds a message that was not delivered yet: receive it first');
  }

  /** The error of a call on a socket that is not open, or lent. */
  #unusable(syscall: string): Error {
    if (this.#lent === undefined) return this.notOpen(syscall);
    const { name } = this.#lent.session;
    return systemError(syscall, -EBUSY, name, 'a shared-memory channel uses the socket');
  }

  #closed(syscall: string): Promise<never> {
    return rejection(this.#unusable(syscall));
  }

  /** The error of sending several messages on a socket that is not open. */
  #noneSent(): Error {
    return Object.assign(this.#unusable('sendmsg'), { messagesSent: 0 });
  }
}
