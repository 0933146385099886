/**
 * The kernel below the library, as far as the library's promises depend on it: unix(7), af_unix.c. The model
 * makes no system call.
 */
import { type Message, NOT_OPEN, total } from './message.js';

/** The kernel's limits, measured by the test. */
export interface Limits {
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
  readonly leastSendBuffer: number;
  readonly leastReceiveBuffer: number;
  /** Whether closing with one unread empty message is a reset. It is not in kernels with out-of-band data. */
  readonly resetsForEmpty: boolean;
}

/** Whether the real send has failed with this error. */
export type IsSaid = (error: string) => boolean;

/** Bounds of the charge for a queued message, which the kernel does not report. */
const leastCharge = ({ data }: Message): number => data.length + 256;
const mostCharge = ({ data }: Message): number => 2 * data.length + 2048;

/** A socket in the kernel. It closes when the last descriptor for it is closed. */
export class KernelSocket {
  state: 'unconnected' | 'connected' | 'listening' | 'dead' = 'unconnected';
  name = '';
  peer: KernelSocket | undefined;
  descriptors = 0;
  readonly queue: Message[] = [];
  /** Of a listener: the connections in the backlog, and the length of the backlog. */
  readonly backlog: KernelSocket[] = [];
  backlogSize = 0;
  /** The next send or receive meets ECONNRESET, once. */
  reset = false;
  receivesNoMore = false;
  sendsNoMore = false;
  /** This end has shut down sending; not: the other end has shut down receiving. */
  endedSending = false;
  sendBuffer: number;
  receiveBuffer: number;
  /** Whether receives may take messages off the queue that they do not deliver. */
  readonly holdsMessages: boolean = true;
  /** Whether a reset is reported to a send that meets it. */
  readonly resetsSends: boolean = true;

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
    if (total(inFlight.map(mostCharge)) < this.sendBuffer) return true;
    return total(inFlight.map(leastCharge)) >= this.sendBuffer ? false : undefined;
  }

  /** Why a message cannot be sent, whether there is room or not; undefined if it can. */
  sendError({ data, files }: Message, _isSaid: IsSaid): string | undefined {
    if (this.state !== 'connected') return 'ENOTCONN';
    if (files.includes(NOT_OPEN)) return 'EBADF';
    if (data.length > this.sendBuffer - 32) return `EMSGSIZE ${data.length}`;
    return this.sendsNoMore ? 'EPIPE' : undefined;
  }

  /** Whether there is room for a message; undefined if only the kernel knows. */
  roomFor(_message: Message): boolean | undefined {
    return this.hasRoom;
  }

  /** Puts a message that has room into the queue of the peer, or returns the error. */
  deliver(message: Message): string | undefined {
    const peer = this.peer as KernelSocket;
    if (peer.receivesNoMore) return 'EPIPE';
    peer.queue.push(message);
    return undefined;
  }

  /** Whether a message that waits has to be sent. */
  mustSend(_message: Message, _isDue: boolean): boolean {
    return this.isSurelyWritable;
  }

  /** Whether memory for a message is leased. */
  get isLeased(): boolean {
    return false;
  }

  /** Takes the first message off the queue. */
  take(): Message {
    return this.queue.shift() as Message;
  }

  /** Whether there is surely room for all of these. */
  hasRoomFor(messages: readonly Message[]): boolean {
    return total([...(this.peer?.queue ?? []), ...messages].map(mostCharge)) < this.sendBuffer;
  }

  /** Whether poll(2) certainly reports it as writable: three quarters of the send buffer are free, or sending has ended. */
  get isSurelyWritable(): boolean {
    if (this.reset || (this.receivesNoMore && this.sendsNoMore)) return true;
    return 4 * (1 + total((this.peer?.queue ?? []).map(mostCharge))) <= this.sendBuffer;
  }

  /** Called when the last descriptor was closed. */
  ended(): void {}

  shutdown(receive: boolean, send: boolean): void {
    this.receivesNoMore ||= receive;
    this.sendsNoMore ||= send;
    this.endedSending ||= send;
    if (this.peer === undefined || this.peer.state === 'dead') return;
    this.peer.receivesNoMore ||= send;
    this.peer.sendsNoMore ||= receive;
  }
}

/** A path of a file that is not a socket, which prevents a bind. */
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

  pair<Socket extends KernelSocket>(ends: readonly [Socket, Socket]): readonly [Socket, Socket] {
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
    socket.ended();
    socket.queue.length = 0;
    for (const each of socket.backlog) this.#end(each, true);
    if (isAbstract(socket.name) && this.names.get(socket.name) === socket) this.names.delete(socket.name);
  }
}

export function isAbstract(path: string): boolean {
  return path.startsWith('\0');
}
