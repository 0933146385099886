/** A descriptor number with one owner: closed once, by its owner or, with a warning, after its owner. */
import { systemError } from '../errors';
import { os } from '../system/os';

export class OwnedDescriptor {
  #fd: number;

  /** @param fd an open descriptor without another owner */
  constructor(fd: number) {
    this.#fd = fd;
    os.own(fd);
  }

  /** Owns another one, after the one before was closed or given up. */
  own(fd: number): void {
    this.#fd = fd;
    os.own(fd);
  }

  /** -1 once closed or given up. */
  get fd(): number {
    return this.#fd;
  }

  /** Closes the descriptor; does nothing if that was done already or if it was given up. */
  close(): void {
    const fd = this.take();
    if (fd === -1) return;
    const result = os.close(fd);
    if (result < 0) throw systemError('close', result);
  }

  /**
   * Gives the number up to another owner in this thread. The thread goes on owning it meanwhile, so that
   * it is closed if the thread is terminated between the two.
   */
  take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    // A registry of many owners that have nothing to close any more makes garbage collections long.
    if (fd !== -1) owners.unregister(this);
    return fd;
  }
}

const owners = new FinalizationRegistry<OwnedDescriptor>((descriptor) => {
  const { fd } = descriptor;
  if (fd === -1) return;
  let outcome = '';
  try {
    descriptor.close();
  } catch (error) {
    // The number was closed elsewhere. There is no caller to throw to.
    outcome = `: ${(error as Error).message}`;
  }
  process.emitWarning(
    `Closing file descriptor ${fd}, whose owner was collected without closing it${outcome}`,
    {
      type: 'SeqpacketWarning',
      code: 'SEQPACKET_DESCRIPTOR_COLLECTED',
      detail: 'Call close() on every socket, acceptor and FileDescriptor, or declare it with "using".',
    },
  );
});

/**
 * From now on the descriptor is closed, with a process warning, if its owner is collected before it was closed or
 * given up.
 */
export function closeWithOwner(owner: object, descriptor: OwnedDescriptor): void {
  owners.register(owner, descriptor, descriptor);
}
