/** Waiting for readiness, without receiving or sending: poll(2). */
import { systemError } from '../errors';
import { EBADF, EINTR, POLLIN, POLLNVAL, POLLOUT, SIOCOUTQ, SO_SNDBUF } from '../system/linux';
import { os } from '../system/os';
import { getIntegerOption } from '../system/socket-options';
import { type Attempt, WOULD_BLOCK } from './operation-queue';

/** The endpoint of a wait. */
interface Waitable {
  readonly fd: number;
  /** The address for errors. */
  readonly name: string | Buffer;
}

/**
 * A wait completes exactly when the operation behind it in the queue would not have to wait. It does not complete
 * earlier, and it does not delay that operation.
 */
abstract class Wait implements Attempt<void> {
  protected abstract readonly events: number;

  constructor(
    protected readonly target: Waitable,
    /** Whether the endpoint is ready because of state that the kernel does not have. */
    private readonly isReadyLocally: () => boolean,
  ) {}

  get needsFirstTry(): boolean {
    return this.isReadyLocally();
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    if (this.isReadyLocally()) return;
    let events: number;
    do events = os.poll(this.target.fd, this.events, 0);
    while (events === -EINTR);
    if (events < 0) throw this.failure(events);
    if ((events & POLLNVAL) !== 0) throw this.failure(-EBADF);
    if (events === 0 && !this.isReadyDespitePoll()) return WOULD_BLOCK;
  }

  failure(errno: number): Error {
    return systemError('poll', errno, this.target.name);
  }

  /** Whether the endpoint is ready although poll(2) reports no event. */
  protected isReadyDespitePoll(): boolean {
    return false;
  }
}

export class WaitForReading extends Wait {
  protected readonly events = POLLIN;
}

export class WaitForWriting extends Wait {
  protected readonly events = POLLOUT;

  /** poll(2) reports a socket as writable if three quarters of its send buffer are free. A send needs less. */
  protected override isReadyDespitePoll(): boolean {
    const { fd } = this.target;
    const queued = os.ioctl(fd, SIOCOUTQ);
    if (queued < 0) throw systemError('ioctl', queued);
    return queued < getIntegerOption(fd, SO_SNDBUF);
  }
}

export const DIRECTIONS = ['read', 'write'] as const;
