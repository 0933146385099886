/** One attempt to accept: accept4(2), and the admission or refusal of the peer. */
import { setNonBlocking } from '../descriptors/descriptor-flags';
import { onAccept, onRefuse, publishLater } from '../diagnostics';
import { systemError } from '../errors';
import { EAGAIN, ECONNABORTED, SOCKET_FLAGS } from '../system/linux';
import { os } from '../system/os';
import { peerCredentials } from '../system/peer-credentials';
import { type Attempt, UNFINISHED, WOULD_BLOCK } from '../waiting/operation-queue';
import { type AllowedPeers, isAllowed } from './admission';
import type { ConnectionLimit } from './connection-limit';

/** The option of `listen` that refused a peer. */
type RefusalReason = 'allow' | 'maxConnections';

/** The part of an acceptor that an attempt uses. */
interface Listener {
  readonly fd: number;
  readonly localPath: string | Buffer;
}

const MAX_REFUSALS_PER_TRY = 16;

/** The attempt of every accept of one acceptor. */
export class Acceptance<Socket> implements Attempt<Socket> {
  reportsAbortedConnections = false;

  /** The peers to admit; all peers if undefined. */
  allow: AllowedPeers | undefined = undefined;
  /** The limit of open connections; no limit if undefined. */
  limit: ConnectionLimit | undefined = undefined;

  accepted = 0;
  refused = 0;

  /** @param open makes a socket of an accepted descriptor, and takes ownership of it */
  constructor(
    private readonly acceptor: Listener,
    private readonly open: (fd: number, localPath: string | Buffer) => Socket,
  ) {}

  try(): Socket | typeof WOULD_BLOCK | typeof UNFINISHED {
    const { acceptor } = this;
    // Another owner of the open file description may have made it blocking. accept4(2) would block the event loop.
    setNonBlocking(acceptor.fd, true);
    // Many consecutive refusals may be an attack, which must not block the event loop.
    for (let refused = 0; refused < MAX_REFUSALS_PER_TRY; refused++) {
      let fd: number;
      do fd = os.accept4(acceptor.fd, SOCKET_FLAGS);
      while (fd === -ECONNABORTED && !this.reportsAbortedConnections);
      if (fd === -EAGAIN) return WOULD_BLOCK;
      if (fd < 0) throw this.failure(fd);
      const reason = this.#closeOnThrow(fd, () => this.#refusal(fd));
      if (reason === undefined) return this.#admit(fd);
      this.#refuse(fd, reason);
    }
    return UNFINISHED;
  }

  failure(errno: number): Error {
    return systemError('accept4', errno, this.acceptor.localPath);
  }

  #refusal(fd: number): RefusalReason | undefined {
    if (this.allow !== undefined && !isAllowed(fd, this.allow)) return 'allow';
    return this.limit?.isReached === true ? 'maxConnections' : undefined;
  }

  #refuse(fd: number, reason: RefusalReason): void {
    const { acceptor } = this;
    const credentials = onRefuse.hasSubscribers
      ? this.#closeOnThrow(fd, () => peerCredentials(fd))
      : undefined;
    os.close(fd);
    this.refused++;
    if (credentials === undefined) return;
    publishLater(onRefuse, { acceptor, reason, credentials });
  }

  #admit(fd: number): Socket {
    const { acceptor } = this;
    const localPath = this.#closeOnThrow(fd, () => acceptor.localPath);
    const socket = this.open(fd, localPath);
    this.accepted++;
    publishLater(onAccept, { acceptor, socket });
    return socket;
  }

  /** Runs the work. If it throws, closes the descriptor. */
  #closeOnThrow<T>(fd: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      os.close(fd);
      throw error;
    }
  }
}
