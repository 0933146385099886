import { type InspectOptions, inspect } from 'node:util';
import type { ConnectionLimit } from '../accepting/connection-limit';
import {
  addressBuffer,
  decodeAddress,
  parseAddress,
  type SocketPath,
  UNSPECIFIED_ADDRESS,
} from '../addresses/address';
import {
  type Buffers,
  checkEach,
  checkFlags,
  checkInteger,
  checkMessagesToSend,
  checkOneOf,
  checkOptions,
  checkPartsToFill,
  checkPartsToSend,
  checkSignal,
  type Data,
  type MessageOptions,
  type SignalOption,
} from '../arguments';
import { descriptorOf, type FdSource, type FileDescriptor } from '../descriptors/file-descriptor';
import { onConnect, publishLater } from '../diagnostics';
import { AbortError, invalidState, invalidType, outOfRange, systemError } from '../errors';
import { inspectProperties } from '../inspection';
import { MAX_BATCH } from '../messages/batch';
import type { Counters } from '../messages/connection';
import {
  type Message,
  Receive,
  ReceiveBatch,
  ReceiveData,
  type ReceivedWithFds,
  ReceiveMessage,
  ReceiveWithFds,
} from '../messages/receive-attempts';
import type { Receiver } from '../messages/receiver';
import { Send, SendMany, SendWithFds } from '../messages/send-attempts';
import {
  AF_UNIX,
  EALREADY,
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
import { WOULD_BLOCK } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import { rejection } from '../waiting/turn';
import { DIRECTIONS, WaitForReading, WaitForWriting } from '../waiting/wait';
import { BackOff, Connect } from './connect-attempt';
import { checkSeqpacket, Endpoint, isListening } from './endpoint';
import { MessageIterator } from './message-iterator';
import { getOption, setOption } from './option-table';
import { type SettableSocketOptions, SOCKET_OPTIONS, type SocketOptions } from './options';
import { Session } from './session';
import { readableOf, writableOf } from './web-streams';

export interface ReceiveMessageOptions extends SignalOption {
  /** How many descriptors to take at most, 0 to 253; none by default. */
  maxFds?: number | undefined;
}

export interface ReceiveManyOptions extends SignalOption {
  /** How many messages to receive at most; never more than 64, which is also the default. */
  max?: number | undefined;
}

const SHUTDOWN_HOW = { receive: SHUT_RD, send: SHUT_WR, both: SHUT_RDWR } as const;

const receiveData = (receiver: Receiver) => new ReceiveData(receiver);

/** Makes a socket of an accepted descriptor, which counts towards a limit until it is closed; for the acceptor. */
export let acceptedSocket: (
  fd: number,
  localPath: string | Buffer,
  limit?: ConnectionLimit,
) => SeqpacketSocket;

/**
 * An AF_UNIX + SOCK_SEQPACKET socket (unix(7)): connection-oriented, ordered, and what is sent as one
 * message is received as one message.
 *
 * Operations that can wait return promises and do not block the event loop. Several may wait at once;
 * they are served, and their promises settle, in the order of the calls. While one waits, the process
 * stays alive (see `unref`) and the socket is not collected. On a socket that is not open they reject
 * with `EBADF`.
 *
 * Close it, or declare it with `using`. One that is collected unclosed is closed then, with a process
 * warning.
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
  #session: Session | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Data> | undefined;

  static {
    acceptedSocket = (fd, localPath, limit) => {
      const socket = new SeqpacketSocket();
      socket.begin(fd, localPath);
      (socket.#session as Session).slot = limit?.acquire(socket);
      return socket;
    };
  }

  /**
   * @param fd a descriptor to take over, as {@link assign} does; without one the socket is closed
   *   until `open()` or `connect()`
   */
  constructor(fd?: FileDescriptor) {
    super();
    if (fd !== undefined) this.assign(fd);
  }

  /**
   * Two sockets that are connected with each other (socketpair(2)).
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
   * The name of the other end, as it was given to `connect` where that was here; `''` for an unnamed
   * end and for a socket without a peer. A `Buffer` only if the name is not UTF-8.
   */
  get remotePath(): string | Buffer {
    const session = this.#session;
    if (session === undefined) return '';
    if (session.remotePath !== undefined) return session.remotePath;
    const length = os.getpeername(session.fd, addressBuffer);
    if (length === -ENOTCONN) return '';
    if (length < 0) throw systemError('getpeername', length);
    return decodeAddress(addressBuffer, length);
  }

  /**
   * Connects to a listening socket (connect(2)); opens this socket if it is not open yet, and leaves it
   * open whatever happens. While the listener's backlog is full, this waits.
   *
   * @throws (rejects) `ECONNREFUSED` if no process listens, `ENOENT`, `EACCES`, `EPROTOTYPE` if the name is
   *   that of another type of socket, `EISCONN`, `EALREADY` while another connect is pending
   */
  connect(path: SocketPath, options?: SignalOption): Promise<void> {
    const address = parseAddress(path);
    const signal = checkSignal(options);
    if (signal?.aborted) return rejection(new AbortError(signal));
    try {
      if (!this.isOpen) this.open();
      const session = this.#opened('connect');
      session.connects ??= new BackOff(this.keepsLoopAlive);
      const { queue } = session.connects;
      if (!queue.isEmpty) throw systemError('connect', -EALREADY, address.given);
      const connected = () => {
        session.remotePath = address.given;
        publishLater(onConnect, { socket: this });
      };
      return queue.run(new Connect(session.fd, address, connected), signal);
    } catch (error) {
      return rejection(error);
    }
  }

  /**
   * Dissolves the association with the peer: connect(2) with `AF_UNSPEC`.
   *
   * @throws `EINVAL` always on Linux, which does that for datagram sockets only
   */
  disconnect(): void {
    const session = this.#opened('connect');
    const result = os.connect(session.fd, UNSPECIFIED_ADDRESS);
    if (result < 0) throw systemError('connect', result);
    session.remotePath = undefined;
  }

  /**
   * Ends one or both directions, for every descriptor of the connection (shutdown(2)). The peer's
   * receives come to the end of file, its sends to `EPIPE`. Pending operations in that direction settle.
   *
   * @throws `EBADF` if the socket is not open
   */
  shutdown(what: 'receive' | 'send' | 'both'): void {
    const how =
      SHUTDOWN_HOW[checkOneOf(what, 'what', Object.keys(SHUTDOWN_HOW) as (keyof typeof SHUTDOWN_HOW)[])];
    const session = this.#opened('shutdown');
    // What was called before is sent if there is room; it may only have been put off for the sake of fairness.
    if (how !== SHUT_RD) session.sends.flush();
    const result = os.shutdown(session.fd, how);
    if (result < 0) throw systemError('shutdown', result, session.name);
    if (how !== SHUT_RD) session.sendsAreOver = true;
    session.receives.proceed();
    session.sends.proceed();
  }

  /**
   * Waits until there is something to receive, or room to send, and does neither: poll(2). The end of file and errors
   * count, too: the operation would not have to wait. A wait takes its turn among the receives or the sends.
   *
   * `'read'`: a message is there, or the end of file, or an error; a message that was kept because it was too long
   * counts. `'write'`: the kernel has room for a message of any length that it sends at all, or the send would fail.
   * Without a peer a socket counts as ready, since the operation would fail at once.
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
    return session.sends.run(new WaitForWriting(session, () => session.sendsAreOver), signal);
  }

  /**
   * Receives one message and returns its length in bytes. Descriptors that came with it are closed.
   *
   * The buffer is the socket's until the promise settles. A message that is longer than the buffer is
   * not cut: the call rejects with `EMSGSIZE` and `messageSize`, and the next receive gets the message,
   * whole and with its descriptors.
   *
   * @throws (rejects) `EOF` at end of file (an empty message too, by default: see `emptyMessages`),
   *   `EMSGSIZE`, `ECONNRESET` after the last message if the peer closed with unread data, `ENOTCONN`
   */
  receive(buffer: Buffers, options?: MessageOptions): Promise<number> {
    const parts = checkPartsToFill(buffer, 'buffer');
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new Receive(session.receiver, parts, flags), signal);
  }

  /**
   * Sends one message, whole or not at all, and returns its length in bytes. While the kernel has no
   * room, this waits; the data must not change until the promise settles.
   *
   * @param data a view of memory, an `ArrayBuffer`, a `SharedArrayBuffer`, or a string, which is sent as UTF-8; or an
   *   array of these, which is sent as one message
   * @throws (rejects) `EPIPE` if the peer has closed or shut down receiving, `EMSGSIZE` (with `messageSize`) if the
   *   message is longer than the send buffer allows, `ECONNRESET`, `ENOTCONN`
   */
  send(data: Data, options?: MessageOptions): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('sendmsg');
    return session.sends.run(new Send(session, parts, flags), signal);
  }

  /**
   * Receives one message and at most `maxFds` descriptors, which are the caller's to close. Any more
   * are closed, and `controlTruncated` says so; it also does if the kernel could not install all of
   * them (for lack of free descriptors, `EMFILE`). Otherwise as {@link receive}.
   *
   * @param maxFds 0 to 253, the most that Linux lets one message carry
   */
  receiveWithFds(buffer: Buffers, maxFds: number, options?: MessageOptions): Promise<ReceivedWithFds> {
    const parts = checkPartsToFill(buffer, 'buffer');
    checkInteger(maxFds, 'maxFds', 0, SCM_MAX_FD);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveWithFds(session.receiver, parts, maxFds, flags), signal);
  }

  /**
   * Sends one message together with descriptors (SCM_RIGHTS in unix(7)). The caller keeps
   * them, and may close them as soon as this returns. Otherwise as {@link send}.
   *
   * @param fds at most 253
   * @throws (rejects) `EBADF` for a descriptor that is closed, `ETOOMANYREFS` if too many are in flight
   */
  sendWithFds(data: Data, fds: readonly FdSource[], options?: MessageOptions): Promise<number> {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds);
    const flags = checkFlags(options);
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('sendmsg');
    return session.sends.run(new SendWithFds(session, parts, numbers, flags), signal);
  }

  /**
   * Receives the whole next message, however long, into memory that is made for it, with at most `maxFds`
   * descriptors (none by default), which are the caller's to close.
   *
   * @throws (rejects) `EOF`, `ECONNRESET`, `ENOTCONN`: see {@link receive}
   */
  receiveMessage(options?: ReceiveMessageOptions): Promise<Message> {
    const { maxFds, signal } = receiveMessageOptions(options);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveMessage(session.receiver, maxFds), signal);
  }

  /**
   * The messages as they come, until the end of file; other errors are thrown. Breaking out leaves the
   * socket open, and loses nothing. Descriptors are the caller's to close.
   */
  messages(options?: ReceiveMessageOptions): AsyncIterableIterator<Message> {
    const { maxFds, signal } = receiveMessageOptions(options);
    return new MessageIterator(
      () => this.#session,
      (receiver) => new ReceiveMessage(receiver, maxFds),
      signal,
    );
  }

  /** The data of the messages as they come; see {@link messages}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return new MessageIterator(() => this.#session, receiveData);
  }

  /**
   * Sends several messages, in order, with as few system calls as the kernel has room for (sendmmsg(2)), and
   * returns how many: all. If it fails or is aborted, `messagesSent` of the error is the number that was sent.
   */
  sendMany(messages: readonly Data[], options?: SignalOption): Promise<number> {
    if (!Array.isArray(messages)) throw invalidType('messages', 'an instance of Array', messages);
    const parts = checkMessagesToSend(messages, 'messages');
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) {
      return rejection(Object.assign(this.notOpen('sendmsg'), { messagesSent: 0 }));
    }
    return session.sends.run(new SendMany(session, parts), signal);
  }

  /**
   * Receives between one and `max` messages: those that are there, in one system call (recvmmsg(2)), or else
   * the next one. Where messages are long (over 32 KiB) it receives one at a time, which is faster. Descriptors that came with them are closed.
   *
   * @throws (rejects) as {@link receive}
   */
  receiveMany(options?: ReceiveManyOptions): Promise<Buffer[]> {
    const checked = checkOptions(options);
    const max = checked.max === undefined ? MAX_BATCH : checkInteger(checked.max, 'options.max', 1);
    const signal = checkSignal(checked);
    const session = this.#session;
    if (session === undefined) return this.#closed('recvmsg');
    return session.receives.run(new ReceiveBatch(session.receiver, Math.min(max, MAX_BATCH)), signal);
  }

  /**
   * Sends one message if that is possible at once.
   *
   * @returns `false` if there is no room, or if other sends wait already
   * @throws as {@link sendWithFds} rejects
   */
  trySend(data: Data, fds: readonly FdSource[] = []): boolean {
    const parts = checkPartsToSend(data, 'data');
    const numbers = checkDescriptors(fds);
    const session = this.#opened('sendmsg');
    if (!session.sends.isEmpty) return false;
    const attempt =
      numbers.length === 0 ? new Send(session, parts, 0) : new SendWithFds(session, parts, numbers, 0);
    return attempt.try() !== WOULD_BLOCK;
  }

  /**
   * Receives one message if there is one.
   *
   * @returns its length, or `null` if there is none, or if other receives wait already
   * @throws as {@link receive} rejects
   */
  tryReceive(buffer: Buffers): number | null {
    const parts = checkPartsToFill(buffer, 'buffer');
    const { receiver, receives } = this.#opened('recvmsg');
    if (!receives.isEmpty) return null;
    const bytes = new Receive(receiver, parts, 0).try();
    return bytes === WOULD_BLOCK ? null : bytes;
  }

  /**
   * The messages as a web stream, one chunk each; closed at the end of file. Nothing is received before it is
   * asked for. Cancelling the stream leaves the socket open.
   */
  get readable(): ReadableStream<Uint8Array> {
    this.#readable ??= readableOf(() => this.#session);
    return this.#readable;
  }

  /**
   * A web stream whose chunks are sent as one message each, as {@link send} takes them; a write is done when the
   * kernel has taken the message. Closing or aborting the stream shuts down sending. Empty chunks are left out, unless this socket
   * has `emptyMessages: 'deliver'`.
   */
  get writable(): WritableStream<Data> {
    this.#writable ??= writableOf(this);
    return this.#writable;
  }

  /** What went through this socket since it was opened, and what waits. */
  get counters(): Counters & { pendingSends: number; pendingReceives: number } {
    const session = this.#opened('counters');
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
    this.#session?.cancel();
  }

  /**
   * As for every endpoint; but refuses while this object holds a message that was too long for the
   * buffers of earlier receives: it would be lost. Receive it first.
   *
   * @throws `ERR_INVALID_STATE` then; `EBADF` if the socket is not open
   */
  override release(): FileDescriptor {
    if (this.#opened('release').receiver.holdsMessage) {
      throw invalidState('The socket holds a message that was received but not delivered: receive it first');
    }
    return super.release();
  }

  /** @throws `EBADF` if the socket is not open, `EACCES`, … */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    setOption<Session>(SOCKET_OPTIONS, name, () => this.#opened('setsockopt'), value);
  }

  /** @throws `EBADF` if the socket is not open, `ENOTCONN` if there is no peer, `ENOPROTOOPT` */
  getOption<Name extends keyof SocketOptions>(name: Name): SocketOptions[Name] {
    return getOption<Session>(SOCKET_OPTIONS, name, () => this.#opened('getsockopt')) as SocketOptions[Name];
  }

  /**
   * `'bytesReadable'` (FIONREAD): the bytes of all messages that wait to be received, together.
   *
   * @throws `EBADF` if the socket is not open
   */
  ioControl(command: 'bytesReadable'): number {
    checkOneOf(command, 'command', ['bytesReadable'] as const);
    const { fd, receiver } = this.#opened('ioctl');
    const bytes = os.ioctl(fd, FIONREAD);
    if (bytes < 0) throw systemError('ioctl', bytes);
    return bytes + receiver.heldBytes;
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const session = this.#session;
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
    this.#session?.receiver.close();
    this.#session?.slot?.release();
    this.#session = undefined;
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
    // One that listens can neither send nor receive.
    if (isListening(fd)) throw systemError('assign', -EINVAL);
  }

  #opened(syscall: string): Session {
    if (this.#session === undefined) throw this.notOpen(syscall);
    return this.#session;
  }

  #closed(syscall: string): Promise<never> {
    return rejection(this.notOpen(syscall));
  }
}

function receiveMessageOptions(options: ReceiveMessageOptions | undefined) {
  const checked = checkOptions(options);
  const maxFds =
    checked.maxFds === undefined ? 0 : checkInteger(checked.maxFds, 'options.maxFds', 0, SCM_MAX_FD);
  return { maxFds, signal: checkSignal(checked) };
}

function checkDescriptors(fds: readonly FdSource[]): number[] {
  if (!Array.isArray(fds)) throw invalidType('fds', 'an instance of Array', fds);
  if (fds.length > SCM_MAX_FD) throw outOfRange('fds.length', `<= ${SCM_MAX_FD}`, fds.length);
  return checkEach(fds, 'fds', descriptorOf);
}
