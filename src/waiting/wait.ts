/** Waiting until something can be done, with nothing done: poll(2). */
import { systemError } from '../errors';
import { EBADF, POLLIN, POLLNVAL, POLLOUT, SIOCOUTQ, SO_SNDBUF } from '../system/linux';
import { os } from '../system/os';
import { getIntegerOption } from '../system/socket-options';
import { type Attempt, WOULD_BLOCK } from './operation-queue';

/** What is waited on. */
interface Waitable {
  readonly fd: number;
  /** What it is called in errors. */
  readonly name: string | Buffer;
}

/**
 * A wait is ready exactly when the operation behind it in its queue would not have to wait. It is not ready earlier,
 * and it does not keep that operation from its turn.
 */
abstract class Wait implements Attempt<void> {
  protected abstract readonly events: number;

  constructor(
    protected readonly target: Waitable,
    /** Whether it is ready by what the kernel does not know of. */
    private readonly isKnown: () => boolean,
  ) {}

  get needsFirstTry(): boolean {
    return this.isKnown();
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: void is what the promise is for
  try(): void | typeof WOULD_BLOCK {
    if (this.isKnown()) return;
    const events = os.poll(this.target.fd, this.events);
    if (events < 0) throw this.failure(events);
    if ((events & POLLNVAL) !== 0) throw this.failure(-EBADF);
    if (events === 0 && !this.isReady()) return WOULD_BLOCK;
  }

  failure(errno: number): Error {
    return systemError('poll', errno, this.target.name);
  }

  /** Whether it is, although poll(2) does not say so. */
  protected isReady(): boolean {
    return false;
  }
}

export class WaitForReading extends Wait {
  protected readonly events = POLLIN;
}

export class WaitForWriting extends Wait {
  protected readonly events = POLLOUT;

  /** To poll(2) a socket is writable when three quarters of its buffer are free, but a send needs less. */
  protected override isReady(): boolean {
    const { fd } = this.target;
    const queued = os.ioctl(fd, SIOCOUTQ);
    if (queued < 0) throw systemError('ioctl', queued);
    return queued < getIntegerOption(fd, SO_SNDBUF);
  }
}

export const DIRECTIONS = ['read', 'write'] as const;
