/** A socket from when it is opened until it is closed: its queues, its receiving side and its counters. */
import type { ConnectionSlot } from '../accepting/connection-limit';
import { Connection } from '../messages/connection';
import { Receiver } from '../messages/receiver';
import { OperationQueue, READABLE, WRITABLE } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import type { BackOff } from './connect-attempt';

/** A socket, as far as its name in errors is concerned. */
interface Named {
  readonly localPath: string | Buffer;
  readonly remotePath: string | Buffer;
}

export class Session extends Connection {
  readonly receiver: Receiver = new Receiver(this);
  readonly receives: OperationQueue;
  /** Made when it is first needed, as the sends are: there are servers with many connections that are silent. */
  connects: BackOff | undefined;
  remotePath: string | Buffer | undefined;
  /** The slot within the limit of the acceptor. */
  slot: ConnectionSlot | undefined;
  /** Whether `shutdown` has ended sending: poll(2) does not say so. */
  sendsAreOver = false;
  #sends: OperationQueue | undefined;

  constructor(
    private readonly socket: Named,
    private readonly descriptor: PolledDescriptor,
  ) {
    super(descriptor.fd);
    this.receives = new OperationQueue(descriptor, READABLE);
  }

  get sends(): OperationQueue {
    this.#sends ??= new OperationQueue(this.descriptor, WRITABLE);
    return this.#sends;
  }

  cancel(): void {
    this.connects?.queue.cancel();
    this.receives.cancel();
    this.#sends?.cancel();
  }

  /** `''` where it cannot be found out: an error that is being reported must not become another one. */
  override get name(): string | Buffer {
    try {
      const { remotePath, localPath } = this.socket;
      return remotePath.length > 0 ? remotePath : localPath;
    } catch {
      return '';
    }
  }
}
