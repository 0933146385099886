/** The state of a socket while it is open: its queues, its receiving side and its counters. */
import type { ConnectionSlot } from '../accepting/connection-limit';
import { Receiver } from '../messages/receiver';
import { Sender } from '../messages/sender';
import { BlockingCalls, untilReady } from '../waiting/blocking';
import { OperationQueue, READABLE, WRITABLE } from '../waiting/operation-queue';
import type { PolledDescriptor } from '../waiting/readiness';
import type { BackOff } from './connect-attempt';

/** The names of a socket. */
interface HasNames {
  readonly localPath: string | Buffer;
  readonly remotePath: string | Buffer;
}

export class Session extends Sender {
  readonly receiver: Receiver = new Receiver(this);
  readonly receives: OperationQueue;
  /** Created on first use, as `sends` is, because a server may have many idle connections. */
  connects: BackOff | undefined = undefined;
  remotePath: string | Buffer | undefined = undefined;
  /** The slot within the limit of the acceptor. */
  slot: ConnectionSlot | undefined = undefined;
  /** Whether `shutdown` has ended sending. poll(2) does not report this. */
  isSendingShutDown = false;
  #sends: OperationQueue | undefined;
  #blockingReceives: BlockingCalls | undefined;
  #blockingSends: BlockingCalls | undefined;

  constructor(
    private readonly socket: HasNames,
    private readonly descriptor: PolledDescriptor,
  ) {
    super(descriptor.fd);
    this.receives = new OperationQueue(descriptor, READABLE);
  }

  get sends(): OperationQueue {
    this.#sends ??= new OperationQueue(this.descriptor, WRITABLE);
    return this.#sends;
  }

  get blockingReceives(): BlockingCalls {
    this.#blockingReceives ??= new BlockingCalls(this.receives, untilReady(this.fd, READABLE));
    return this.#blockingReceives;
  }

  get blockingSends(): BlockingCalls {
    this.#blockingSends ??= new BlockingCalls(this.sends, untilReady(this.fd, WRITABLE));
    return this.#blockingSends;
  }

  cancel(): void {
    this.connects?.queue.cancel();
    this.receives.cancel();
    this.#sends?.cancel();
  }

  /** `''` if the name cannot be determined, so that the error being reported is not replaced by another one. */
  override get name(): string | Buffer {
    try {
      const { remotePath, localPath } = this.socket;
      return remotePath.length > 0 ? remotePath : localPath;
    } catch {
      return '';
    }
  }
}
