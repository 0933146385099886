/**
 * A descriptor number with one owner. It is closed once: by the owner, or with a warning after the owner was
 * garbage-collected.
 */
import { systemError } from '../errors';
import { os } from '../system/os';

export class OwnedDescriptor {
  #fd: number;

  /** @param fd an open descriptor without another owner */
  constructor(fd: number) {
    this.#fd = fd;
    this.register(fd);
  }

  /** Takes ownership of another descriptor, after the previous one was closed or transferred. */
  own(fd: number): void {
    this.#fd = fd;
    this.register(fd);
  }

  /** The number; -1 once closed or transferred. */
  get fd(): number {
    return this.#fd;
  }

  /** Closes the descriptor. Does nothing if it was already closed or transferred. */
  close(): void {
    const fd = this.transfer();
    if (fd !== -1) this.closeNumber(fd);
  }

  /** Registers the number, so that it is closed when the thread ends. */
  protected register(fd: number): void {
    os.own(fd);
  }

  /** Closes a number that is no longer owned here. */
  protected closeNumber(fd: number): void {
    const result = os.close(fd);
    if (result < 0) throw systemError('close', result);
  }

  /**
   * Transfers the number to another owner in this thread; -1 if there is none. The thread continues to own the
   * number, so that it is closed if the thread is terminated before the other owner has it.
   */
  transfer(): number {
    const fd = this.#fd;
    this.#fd = -1;
    // Entries without a descriptor would make garbage collections longer.
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
    // The number was closed elsewhere. There is no caller to receive the error.
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
 * Closes the descriptor, with a process warning, if its owner is garbage-collected before the descriptor was closed or
 * transferred.
 */
export function closeWhenCollected(owner: object, descriptor: OwnedDescriptor): void {
  owners.register(owner, descriptor, descriptor);
}
