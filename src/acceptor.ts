import { checkBoolean, checkInteger, checkOptions, type SignalOption, signalOf } from './arguments';
import { checkSeqpacket, Endpoint, SOCKET_FLAGS } from './endpoint';
import { systemError } from './errors';
import type { FileDescriptor } from './file-descriptor';
import { EAGAIN, EBADF, ECONNABORTED } from './linux';
import { type Attempt, OperationQueue, READABLE, WOULD_BLOCK } from './operations';
import { DEBUG, getOption, type Option, setOption } from './options';
import { os } from './os';
import type { PolledDescriptor } from './readiness';
import { acceptedSocket, type SeqpacketSocket } from './socket';

/** What belongs to an acceptor from when it is opened until it is closed. */
interface Session {
  readonly fd: number;
  readonly accepts: OperationQueue;
  readonly acceptance: Acceptance;
}

export interface AcceptorOptions {
  /** Kernel debugging (SO_DEBUG in socket(7)); setting it needs CAP_NET_ADMIN. */
  debug: boolean;
  /**
   * Whether `accept` rejects with `ECONNABORTED` for a connection that ended before it was accepted;
   * by default it goes on to the next one.
   */
  enableConnectionAborted: boolean;
}

const ENABLE_CONNECTION_ABORTED: Option<Session, boolean> = {
  get: ({ acceptance }) => acceptance.reportsAborted,
  set: {
    check: (value) => checkBoolean(value, 'value'),
    apply: ({ acceptance }, value) => {
      acceptance.reportsAborted = value;
    },
  },
};

const OPTIONS = { debug: DEBUG, enableConnectionAborted: ENABLE_CONNECTION_ABORTED } as const;

/** As many as Node.js has for `server.listen`; the kernel's own limit is net.core.somaxconn. */
const DEFAULT_BACKLOG = 511;

/** What every accept of one acceptor tries. */
class Acceptance implements Attempt<SeqpacketSocket> {
  readonly syscall = 'accept4';
  reportsAborted = false;

  constructor(private readonly acceptor: SeqpacketAcceptor) {}

  try(): SeqpacketSocket | typeof WOULD_BLOCK {
    const { acceptor } = this;
    let fd: number;
    do fd = os.accept4(acceptor.fd, SOCKET_FLAGS);
    while (fd === -ECONNABORTED && !this.reportsAborted);
    if (fd === -EAGAIN) return WOULD_BLOCK;
    if (fd < 0) throw systemError(this.syscall, fd, acceptor.localPath);
    return acceptedSocket(fd, acceptor.localPath);
  }
}

/**
 * A listening AF_UNIX + SOCK_SEQPACKET socket.
 *
 * Several accepts may wait at once; they are served in the order of the calls. While one waits, the
 * process stays alive (see `unref`). Close it, or declare it with `using`.
 */
export class SeqpacketAcceptor extends Endpoint {
  #session: Session | undefined;

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
    const signal = signalOf(checkOptions(options));
    const session = this.#session;
    if (session === undefined) return Promise.reject(systemError('accept4', -EBADF));
    return session.accepts.run(session.acceptance, signal);
  }

  override cancel(): void {
    this.#session?.accepts.cancel();
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
  protected override opening(descriptor: PolledDescriptor): void {
    this.#session = {
      fd: descriptor.fd,
      accepts: new OperationQueue(descriptor, READABLE),
      acceptance: new Acceptance(this),
    };
  }

  /** @internal */
  protected override closing(): void {
    this.#session = undefined;
  }

  /** @internal */
  protected override checkKind(fd: number): void {
    checkSeqpacket(fd);
  }

  #opened(syscall: string): Session {
    if (this.#session === undefined) throw systemError(syscall, -EBADF);
    return this.#session;
  }
}
