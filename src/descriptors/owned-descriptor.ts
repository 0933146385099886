/**
 * A descriptor number with one owner. It is closed once: by the owner, or with a warning after the owner was
 * garbage-collected.
 */
import { systemError } from '../errors';
import { os } from '../system/os';
import { setImmediate } from '../system/timers';

export class OwnedDescriptor {
  #fd: number;
  /** Whether garbage collection of the owner closes the descriptor. */
  #isRegistered = false;

  /** @param fd an open descriptor that this thread owns, without another owner */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Takes ownership of another descriptor, after the previous one was closed or transferred. */
  own(fd: number): void {
    this.#fd = fd;
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
    if (this.#isRegistered) {
      // Entries without a descriptor would make garbage collections longer.
      owners.unregister(this);
      this.#isRegistered = false;
    }
    return fd;
  }

  /** Makes garbage collection of the owner close the descriptor, if it is still open. */
  register(owner: object): void {
    if (this.#fd === -1 || this.#isRegistered) return;
    owners.register(owner, this, this);
    this.#isRegistered = true;
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

/** The owners since the last turn of the event loop. */
let recent: object[] = [];
let recentDescriptors: OwnedDescriptor[] = [];
const MOST_RECENT = 256;

/**
 * Closes the descriptor, with a process warning, if its owner is garbage-collected before the descriptor was closed or
 * transferred. The owner is registered in the next turn of the event loop, because many descriptors are closed before,
 * and registering costs more than closing.
 */
export function closeWhenCollected(owner: object, descriptor: OwnedDescriptor): void {
  if (recent.length === 0) setImmediate(registerRecent);
  recent.push(owner);
  recentDescriptors.push(descriptor);
  // A program that does not return to the event loop does not retain what it has closed.
  if (recent.length === MOST_RECENT) registerRecent();
}

function registerRecent(): void {
  const descriptors = recentDescriptors;
  const ofOwners = recent;
  recent = [];
  recentDescriptors = [];
  for (let i = 0; i < descriptors.length; i++) descriptors[i]?.register(ofOwners[i] as object);
}
