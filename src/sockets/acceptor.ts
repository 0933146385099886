import { type InspectOptions, inspect } from 'node:util';
import { AcceptIterator } from '../accepting/accept-iterator';
import { Acceptance } from '../accepting/acceptance';
import type { AllowedPeers } from '../accepting/admission';
import { ConnectionLimit } from '../accepting/connection-limit';
import { type Address, bindTo } from '../addresses/address';
import { SocketFile, type SocketFileOptions } from '../addresses/socket-file';
import { checkBoolean, checkInteger, checkOneOf, checkSignal, type SignalOption } from '../arguments';
import type { FileDescriptor } from '../descriptors/file-descriptor';
import { invalidValue, systemError } from '../errors';
import { inspectProperties } from '../inspection';
import type { EmptyMessages } from '../messages/empty-messages';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import { OperationQueue, READABLE } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import { rejection } from '../waiting/turn';
import { DIRECTIONS, WaitForReading } from '../waiting/wait';
import { checkSeqpacket, Endpoint } from './endpoint';
import { DEBUG, getOption, type Option, PASS_CREDENTIALS, setOption } from './option-table';
import { acceptedSocket, type SeqpacketSocket } from './socket';

/** What belongs to an acceptor from when it is opened until it is closed. */
interface Session {
  readonly fd: number;
  readonly accepts: OperationQueue;
  readonly acceptance: Acceptance<SeqpacketSocket>;
}

export interface AcceptorOptions {
  /** Kernel debugging (SO_DEBUG in socket(7)); setting it needs CAP_NET_ADMIN. */
  debug: boolean;
  /**
   * Whether `accept` rejects with `ECONNABORTED` for a connection that ended before it was accepted;
   * by default it goes on to the next one.
   */
  enableConnectionAborted: boolean;
  /**
   * Whether the messages of the sockets that are accepted carry their senders' credentials (SO_PASSCRED),
   * from the first message on.
   */
  passCredentials: boolean;
}

const ENABLE_CONNECTION_ABORTED: Option<Session, boolean> = {
  get: ({ acceptance }) => acceptance.reportsAbortedConnections,
  set: {
    check: (value) => checkBoolean(value, 'value'),
    apply: ({ acceptance }, value) => {
      acceptance.reportsAbortedConnections = value;
    },
  },
};

const OPTIONS = {
  debug: DEBUG,
  enableConnectionAborted: ENABLE_CONNECTION_ABORTED,
  passCredentials: PASS_CREDENTIALS,
} as const;

/** As many as Node.js has for `server.listen`; the kernel's own limit is net.core.somaxconn. */
export const DEFAULT_BACKLOG = 511;

/** What `seqpacket:refuse` of `node:diagnostics_channel` publishes: a peer was closed without having been accepted. */
export interface Refusal {
  acceptor: SeqpacketAcceptor;
  /** The option of `listen` by which it was refused. */
  reason: 'allow' | 'maxConnections';
  /** The credentials of the peer (SO_PEERCRED in unix(7)). */
  credentials: Credentials;
}

/** How many connections an acceptor has dealt with since it was opened, and what waits. */
export interface AcceptorCounters {
  accepted: number;
  /** By `allow` or by `maxConnections` of `listen`. */
  refused: number;
  pendingAccepts: number;
}

export interface ListeningOptions extends SocketFileOptions {
  backlog: number;
  allow: AllowedPeers | undefined;
  maxConnections: number | undefined;
  emptyMessages: EmptyMessages;
}

/** Makes an acceptor that listens and that removes its socket file when it is closed; for `listen`. */
export let listeningAcceptor: (address: Address, options: ListeningOptions) => SeqpacketAcceptor;

/**
 * A listening AF_UNIX + SOCK_SEQPACKET socket.
 *
 * Several accepts may wait at once; they are served in the order of the calls. While one waits, the
 * process stays alive (see `unref`). Close it, or declare it with `using`.
 *
 * @example
 * ```ts
 * import { connect, listen } from 'seqpacket';
 *
 * const acceptor = listen('\0example');
 * const client = await connect('\0example');
 * const socket = await acceptor.accept();
 * await client.send(Buffer.from('hello'));
 * console.log(String((await socket.receiveMessage()).data)); // hello
 * client.close();
 * socket.close();
 * acceptor.close();
 * ```
 */
export class SeqpacketAcceptor extends Endpoint implements AsyncIterable<SeqpacketSocket> {
  #session: Session | undefined;
  #emptyMessages: EmptyMessages = 'eof';
  #file: SocketFile | undefined;

  static {
    listeningAcceptor = (address, options) => {
      const acceptor = new SeqpacketAcceptor();
      acceptor.open();
      try {
        acceptor.#listenAt(address, options);
      } catch (error) {
        acceptor.close();
        throw error;
      }
      return acceptor;
    };
  }

  /**
   * @param fd a descriptor to take over, as {@link assign} does; without one the acceptor is closed
   *   until `open()`
   */
  constructor(fd?: FileDescriptor) {
    super();
    if (fd !== undefined) this.assign(fd);
  }

  /**
   * Begins to listen (listen(2)), or changes the backlog.
   *
   * @param backlog how many connections may wait to be accepted; net.core.somaxconn at most
   * @throws `EINVAL` if it is not bound, `EBADF` if it is not open
   */
  listen(backlog: number = DEFAULT_BACKLOG): void {
    checkInteger(backlog, 'backlog');
    const { fd } = this.#opened('listen');
    const result = os.listen(fd, backlog);
    if (result < 0) throw systemError('listen', result, this.localPath);
  }

  /**
   * Accepts the next connection (accept4(2)), or waits for it. The socket is the caller's to close.
   *
   * @throws (rejects) `EMFILE`, `ENFILE` (the connection stays in the backlog), `EINVAL` if this does
   *   not listen, `EBADF` if it is not open
   */
  accept(options?: SignalOption): Promise<SeqpacketSocket> {
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.notOpen('accept4'));
    return session.accepts.run(session.acceptance, signal);
  }

  /**
   * Waits until a connection can be accepted, and leaves it where it is: poll(2). Errors count, too, as on a socket that
   * does not listen; so does a connection that `allow` or `maxConnections` refuses, until an accept has met it. A wait
   * takes its turn among the accepts.
   *
   * @param what `'read'`; a socket that listens is never writable, so that `'write'` would wait for ever
   * @throws `ERR_INVALID_ARG_VALUE` for `'write'`
   * @throws (rejects) `EBADF` if this is not open, `ECANCELED`
   */
  wait(what: 'read' | 'write', options?: SignalOption): Promise<void> {
    if (checkOneOf(what, 'what', DIRECTIONS) === 'write') {
      throw invalidValue('what', "must be 'read': a socket that listens is never writable", what);
    }
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.notOpen('poll'));
    const target = { fd: session.fd, name: this.localPath };
    return session.accepts.run(new WaitForReading(target, () => false), signal);
  }

  /**
   * The connections as they come: the usual loop of a server. It ends when the acceptor is closed, released or
   * cancelled. It goes on when there are no descriptors left (`EMFILE`, `ENFILE`: after a pause, with a process
   * warning) and past connections that were aborted; other errors are thrown. Breaking out leaves the acceptor
   * open.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<SeqpacketSocket> {
    return new AcceptIterator(this, () => this.#session);
  }

  /**
   * Closes the descriptor (close(2)); a socket file that `listen` made is removed, if it is still its own.
   * Pending accepts reject with `ECANCELED`. Closing twice, or what was never open, does nothing.
   */
  override close(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      file?.remove();
    } finally {
      super.close();
    }
  }

  /** As for every endpoint. A socket file stays, for the new owner of the descriptor. */
  override release(): FileDescriptor {
    const descriptor = super.release();
    this.#file = undefined;
    return descriptor;
  }

  override cancel(): void {
    this.#session?.accepts.cancel();
  }

  /**
   * How many connections it has accepted and refused since it was opened, and how many accepts wait.
   *
   * @throws `EBADF` if the acceptor is not open
   */
  get counters(): AcceptorCounters {
    const { acceptance, accepts } = this.#opened('counters');
    const { accepted, refused } = acceptance;
    return { accepted, refused, pendingAccepts: accepts.length };
  }

  /** @throws `EBADF` if the acceptor is not open, `EACCES`, … */
  setOption<Name extends keyof AcceptorOptions>(name: Name, value: AcceptorOptions[Name]): void {
    setOption<Session>(OPTIONS, name, () => this.#opened('setsockopt'), value);
  }

  /** @throws `EBADF` if the acceptor is not open */
  getOption<Name extends keyof AcceptorOptions>(name: Name): AcceptorOptions[Name] {
    return getOption<Session>(OPTIONS, name, () => this.#opened('getsockopt')) as AcceptorOptions[Name];
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const session = this.#session;
    const properties: Record<string, () => unknown> = { isOpen: () => this.isOpen };
    if (session !== undefined) {
      properties['fd'] = () => session.fd;
      properties['localPath'] = () => this.localPath;
      properties['counters'] = () => this.counters;
    }
    return inspectProperties(this, properties, depth, options);
  }

  /** @internal */
  protected override opening(descriptor: PolledDescriptor): void {
    this.#session = {
      fd: descriptor.fd,
      accepts: new OperationQueue(descriptor, READABLE),
      acceptance: new Acceptance(this, (fd, localPath) => this.#open(fd, localPath)),
    };
  }

  /** @internal */
  protected override closing(): void {
    this.#session = undefined;
    this.#emptyMessages = 'eof';
  }

  /** @internal */
  protected override checkKind(fd: number): void {
    checkSeqpacket(fd);
  }

  #listenAt(address: Address, options: ListeningOptions): void {
    const session = this.#opened('listen');
    this.#emptyMessages = options.emptyMessages;
    session.acceptance.allow = options.allow;
    if (options.maxConnections !== undefined) {
      session.acceptance.limit = new ConnectionLimit(options.maxConnections);
    }
    this.named(address);
    const listen = () => this.listen(options.backlog);
    if (!address.isAbstract) {
      this.#file = SocketFile.create(session.fd, address, options, listen);
      return;
    }
    const result = bindTo(address, (sockaddr) => os.bind(session.fd, sockaddr));
    if (result < 0) throw systemError('bind', result, address.given);
    listen();
  }

  /** Makes a socket of an accepted descriptor. */
  #open(fd: number, localPath: string | Buffer): SeqpacketSocket {
    const socket = acceptedSocket(fd, localPath, this.#session?.acceptance.limit);
    try {
      if (this.#emptyMessages !== 'eof') socket.setOption('emptyMessages', this.#emptyMessages);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  #opened(syscall: string): Session {
    if (this.#session === undefined) throw this.notOpen(syscall);
    return this.#session;
  }
}
