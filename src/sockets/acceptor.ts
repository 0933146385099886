import { type InspectOptions, inspect } from 'node:util';
import { AcceptIterator } from '../accepting/accept-iterator';
import { Acceptance } from '../accepting/acceptance';
import type { AllowedPeers } from '../accepting/admission';
import { ConnectionLimit } from '../accepting/connection-limit';
import { type Address, bindTo } from '../addresses/address';
import { SocketFile, type SocketFileOptions } from '../addresses/socket-file';
import {
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkSignal,
  checkTimeout,
  type SignalOption,
  type TimeoutOption,
} from '../arguments';
import type { FileDescriptor } from '../descriptors/file-descriptor';
import { invalidValue, systemError } from '../errors';
import { inspectProperties } from '../inspection';
import type { EmptyMessages } from '../messages/empty-messages';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import { BlockingCalls, untilReady } from '../waiting/blocking';
import { OperationQueue, READABLE } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import { rejection } from '../waiting/turn';
import { DIRECTIONS, WaitForReading } from '../waiting/wait';
import { checkSeqpacket, Endpoint } from './endpoint';
import { DEBUG, getOption, type Option, PASS_CREDENTIALS, setOption } from './option-table';
import { acceptedSocket, type SeqpacketSocket } from './socket';

/** The state of an acceptor while it is open. */
interface Session {
  readonly fd: number;
  readonly accepts: OperationQueue;
  readonly blockingAccepts: BlockingCalls;
  readonly acceptance: Acceptance<SeqpacketSocket>;
}

export interface AcceptorOptions {
  /** Kernel debugging (SO_DEBUG in socket(7)). Setting it requires CAP_NET_ADMIN. */
  debug: boolean;
  /**
   * Whether `accept` rejects with `ECONNABORTED` for a connection that ended before it was accepted (accept(2)). By
   * default, `accept` skips it.
   */
  enableConnectionAborted: boolean;
  /**
   * Whether each `Message` of an accepted socket has the credentials of its sender, including the first message
   * (SO_PASSCRED in unix(7)).
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

/** The default of Node.js for `server.listen`. The limit of the kernel is net.core.somaxconn. */
export const DEFAULT_BACKLOG = 511;

/** The message of the channel `seqpacket:refuse` of `node:diagnostics_channel`: a connection was refused and closed. */
export interface Refusal {
  acceptor: SeqpacketAcceptor;
  /** The option of `listen` that refused the connection. */
  reason: 'allow' | 'maxConnections';
  /** The credentials of the peer (SO_PEERCRED in unix(7)). */
  credentials: Credentials;
}

/** The counters of an acceptor since it was opened. */
export interface AcceptorCounters {
  /** The number of accepted connections. */
  accepted: number;
  /** The number of connections refused by `allow` or `maxConnections` of `listen`. */
  refused: number;
  /** The number of waiting accepts. */
  pendingAccepts: number;
}

export interface ListeningOptions extends SocketFileOptions {
  backlog: number;
  allow: AllowedPeers | undefined;
  maxConnections: number | undefined;
  emptyMessages: EmptyMessages;
}

/** Creates a listening acceptor, which removes its socket file when it is closed; for `listen`. */
export let listeningAcceptor: (address: Address, options: ListeningOptions) => SeqpacketAcceptor;

/**
 * A listening AF_UNIX + SOCK_SEQPACKET socket.
 *
 * Several accepts may wait at the same time. They are served in the order of the calls. A waiting accept keeps the
 * process alive (see `unref`). Close the acceptor, or declare it with `using`.
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
   * @param fd a descriptor, whose ownership the acceptor takes as {@link assign} does. Without one, the acceptor is
   *   closed until `open()`
   * @throws the errors of {@link assign}
   */
  constructor(fd?: FileDescriptor) {
    super();
    if (fd !== undefined) this.assign(fd);
  }

  /**
   * Listens for connections (listen(2)), or changes the backlog.
   *
   * @param backlog the maximum number of connections that wait to be accepted; 511 by default, and at most
   *   net.core.somaxconn
   * @throws `EINVAL` if the acceptor is not bound, `EBADF` if it is not open
   */
  listen(backlog: number = DEFAULT_BACKLOG): void {
    checkInteger(backlog, 'backlog');
    const { fd } = this.#requireSession('listen');
    const result = os.listen(fd, backlog);
    if (result < 0) throw systemError('listen', result, this.localPath);
  }

  /**
   * Accepts the next connection (accept4(2)), or waits for one. The caller must close the socket.
   *
   * @throws (rejects) `EMFILE`, `ENFILE` (the connection stays in the backlog), `EINVAL` if the acceptor does not
   *   listen, `EBADF` if it is not open
   */
  accept(options?: SignalOption): Promise<SeqpacketSocket> {
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.notOpen('accept4'));
    return session.accepts.run(session.acceptance, signal);
  }

  /**
   * Accepts the next connection (accept4(2)). While there is none, the thread sleeps, and its event loop is blocked. The
   * caller must close the socket. Otherwise this works as {@link accept}.
   *
   * @throws the errors of {@link accept}; `ETIMEDOUT` if there was no connection in time; `EBUSY` while asynchronous
   *   accepts wait, which it would overtake
   */
  acceptSync(options?: TimeoutOption): SeqpacketSocket {
    const timeout = checkTimeout(options);
    const { acceptance, blockingAccepts } = this.#requireSession('accept4');
    return blockingAccepts.run(acceptance, timeout);
  }

  /**
   * Waits until a connection can be accepted, without accepting it (poll(2)). The wait also completes if an accept
   * would fail, for example because the socket does not listen. It also completes for a connection that `allow` or
   * `maxConnections` would refuse and that no accept has refused yet. Waits and accepts are served in the order of the
   * calls.
   *
   * @param what `'read'`. A listening socket is never writable, so that `'write'` would wait forever
   * @throws `ERR_INVALID_ARG_VALUE` for `'write'`
   * @throws (rejects) `EBADF` if the acceptor is not open, `ECANCELED`
   */
  wait(what: 'read' | 'write', options?: SignalOption): Promise<void> {
    if (checkOneOf(what, 'what', DIRECTIONS) === 'write') {
      throw invalidValue('what', "must be 'read': a listening socket is never writable", what);
    }
    const signal = checkSignal(options);
    const session = this.#session;
    if (session === undefined) return rejection(this.notOpen('poll'));
    const target = { fd: session.fd, name: this.localPath };
    return session.accepts.run(new WaitForReading(target, () => false), signal);
  }

  /**
   * Iterates over connections: the usual loop of a server. The iteration ends when the acceptor is closed, released or
   * cancelled. After a shortage of descriptors or memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`), it continues after
   * a pause of 100 ms, with a process warning. Aborted connections are skipped. Other errors are thrown. Leaving the
   * loop does not close the acceptor. The caller must close each socket.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<SeqpacketSocket> {
    return new AcceptIterator(this, () => this.#session);
  }

  /**
   * Closes the descriptor (close(2)). Pending accepts reject with `ECANCELED`. The socket file is removed if the
   * function `listen` created it and its path still refers to it. If the acceptor is not open, this does nothing.
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

  /**
   * Returns the descriptor and releases ownership, as for every endpoint. The socket file stays, for the new owner of
   * the descriptor.
   *
   * @throws `EBADF` if the acceptor is not open, or is being closed
   */
  override release(): FileDescriptor {
    const descriptor = super.release();
    this.#file = undefined;
    return descriptor;
  }

  override cancel(): void {
    this.#session?.accepts.cancel();
  }

  /**
   * The numbers of accepted and refused connections since the acceptor was opened, and of waiting accepts.
   *
   * @throws `EBADF` if the acceptor is not open
   */
  get counters(): AcceptorCounters {
    const { acceptance, accepts } = this.#requireSession('counters');
    const { accepted, refused } = acceptance;
    return { accepted, refused, pendingAccepts: accepts.length };
  }

  /**
   * Sets an option (setsockopt(2)).
   *
   * @throws `EBADF` if the acceptor is not open, `EACCES`, …
   */
  setOption<Name extends keyof AcceptorOptions>(name: Name, value: AcceptorOptions[Name]): void {
    setOption<Session>(OPTIONS, name, () => this.#requireSession('setsockopt'), value);
  }

  /**
   * Reads an option (getsockopt(2)).
   *
   * @throws `EBADF` if the acceptor is not open
   */
  getOption<Name extends keyof AcceptorOptions>(name: Name): AcceptorOptions[Name] {
    return getOption<Session>(OPTIONS, name, () =>
      this.#requireSession('getsockopt'),
    ) as AcceptorOptions[Name];
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
    const accepts = new OperationQueue(descriptor, READABLE);
    this.#session = {
      fd: descriptor.fd,
      accepts,
      blockingAccepts: new BlockingCalls(accepts, untilReady(descriptor.fd, READABLE)),
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
    const session = this.#requireSession('listen');
    this.#emptyMessages = options.emptyMessages;
    session.acceptance.allow = options.allow;
    if (options.maxConnections !== undefined) {
      session.acceptance.limit = new ConnectionLimit(options.maxConnections);
    }
    this.recordLocalPath(address);
    const listen = () => this.listen(options.backlog);
    if (!address.isAbstract) {
      this.#file = SocketFile.create(session.fd, address, options, listen);
      return;
    }
    const result = bindTo(address, (sockaddr) => os.bind(session.fd, sockaddr));
    if (result < 0) throw systemError('bind', result, address.given);
    listen();
  }

  /** Creates the socket of an accepted descriptor, and transfers ownership to it. */
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

  #requireSession(syscall: string): Session {
    if (this.#session === undefined) throw this.notOpen(syscall);
    return this.#session;
  }
}
