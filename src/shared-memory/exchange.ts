/** The state of a channel while it is open: its two sides, their queues, and the socket. */
import { systemError } from '../errors';
import type { Session } from '../sockets/session';
import { lendDescriptor, type SeqpacketSocket } from '../sockets/socket';
import { EAGAIN, EBUSY, EPROTO } from '../system/linux';
import { queueMicrotask } from '../system/timers';
import { BlockingCalls } from '../waiting/blocking';
import { type Attempt, OperationQueue, READABLE, WOULD_BLOCK, WRITABLE } from '../waiting/operation-queue';
import { ChannelReceiver } from './channel-receiver';
import { ChannelSender, type ChannelState } from './channel-sender';
import { Control } from './control';
import { Doorbell, type Sides } from './doorbell';
import { Lease } from './lease';
import type { Region } from './region';
import { RingReader } from './ring-reader';
import { RingWriter } from './ring-writer';

export class Exchange implements ChannelState, Sides {
  readonly receives: OperationQueue;
  readonly sends: OperationQueue;
  readonly receiver: ChannelReceiver;
  readonly sender: ChannelSender;
  readonly blockingReceives: BlockingCalls;
  readonly blockingSends: BlockingCalls;
  failure: Error | undefined = undefined;
  /** Whether the channel was closed, and not ended by a failure. */
  isClosed = false;
  /** Determined once: errors for lack of room are frequent, and a name costs a system call. */
  readonly name: string | Buffer;
  readonly #control: Control;
  readonly #writer: RingWriter;
  #lease: Lease | undefined;
  #hasSentEnd = false;
  #hasEnded = false;

  constructor(
    readonly socket: SeqpacketSocket,
    session: Session,
    private readonly outgoing: Region,
    private readonly incoming: Region,
  ) {
    const { remotePath, localPath } = socket;
    this.name = remotePath.length > 0 ? remotePath : localPath;
    const mistrust = (detail: string) => this.#mistrust(detail);
    const descriptor = lendDescriptor(socket, session, () => this.#end());
    const doorbell = new Doorbell(descriptor, this);
    this.#control = new Control(descriptor.fd, mistrust, () => doorbell.ring());
    this.#writer = new RingWriter(outgoing, mistrust);
    const reader = new RingReader(incoming, mistrust);
    this.receiver = new ChannelReceiver(reader, this.#writer, this.#control, this, mistrust);
    this.sender = new ChannelSender(this.#writer, this.#control, this);
    this.receives = new OperationQueue(doorbell, READABLE);
    this.sends = new OperationQueue(doorbell, WRITABLE);
    this.blockingReceives = new BlockingCalls(this.receives, doorbell.sleepOf(this.receiver));
    this.blockingSends = new BlockingCalls(this.sends, doorbell.sleepOf(this.sender));
  }

  receiveControl(): void {
    this.#control.receive();
  }

  /** Receives what the socket has, for a call that does not wait. */
  look(): void {
    if (this.failure === undefined) this.#control.receiveAll();
  }

  /** Ends sending. Waiting sends are sent if there is room. */
  shutDown(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.sender.isShutDown) return;
    this.sends.flush();
    this.sender.isShutDown = true;
    this.#lease?.cancel();
    this.sends.proceed();
    this.#sendEnd();
  }

  /** Whether the channel has its socket. */
  get isOpen(): boolean {
    return !this.#hasEnded;
  }

  /** Closes the socket, and unmaps the memory. */
  close(): void {
    this.#closeSocket();
    this.#unmap();
  }

  /** The object of the socket may have been opened again after it was closed. */
  #closeSocket(): void {
    if (!this.#hasEnded) this.socket.close();
  }

  cancel(): void {
    this.receives.cancel();
    this.sends.cancel();
    if (this.failure === undefined && this.sender.isShutDown && !this.#hasSentEnd) this.#sendEnd();
  }

  /** Waits only if the socket has no room. A failure means that the peer is gone, which the next receive finds. */
  #sendEnd(): void {
    const sent = this.sends.run(new SendEnd(this.#control, this.sender), undefined);
    sent.then(
      () => {
        this.#hasSentEnd = true;
      },
      () => undefined,
    );
  }

  /** Throws `EBUSY` for a blocking send while memory is lent, because only this thread can end that. */
  requireNoLease(): void {
    if (this.sender.isLent) throw this.sender.sendingFailure(-EBUSY, []);
  }

  /** Lends memory for a message. */
  lease(bytes: number): Lease {
    const position = this.sends.isEmpty ? this.sender.reserve(bytes) : -EAGAIN;
    if (position < 0) throw this.sender.leaseFailure(position, bytes);
    this.sender.isLent = true;
    const lease = new Lease(this.#writer.content(position, bytes), (length) => this.#endLease(length));
    this.#lease = lease;
    return lease;
  }

  #endLease(length: number): void {
    this.#lease = undefined;
    this.sender.isLent = false;
    try {
      if (length >= 0) this.sender.sendLent(length);
    } finally {
      this.sends.proceed();
      if (this.failure !== undefined) this.unmapUnused();
    }
  }

  #mistrust(detail: string): Error {
    if (this.failure !== undefined) return this.failure;
    this.failure = systemError('shareMemory', -EPROTO, this.name, detail);
    // Not at once: an operation is being tried.
    queueMicrotask(() => this.#closeSocket());
    return this.failure;
  }

  /** Settles all operations, and releases descriptors and memory. The socket is about to be closed. */
  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.isClosed = this.failure === undefined;
    this.receives.cancel(this.failure);
    this.sends.cancel(this.failure);
    this.receiver.end();
    this.#control.close();
    if (this.failure === undefined) this.#unmap();
    else this.unmapUnused();
  }

  #unmap(): void {
    this.#lease?.forget();
    this.#lease = undefined;
    this.receiver.forgetBorrowed();
    this.outgoing.close();
    this.incoming.close();
  }

  /**
   * Unmaps the memory that is not lent. The program does not expect a failure, and another thread may be using lent
   * memory, for example to compress a borrowed message.
   */
  unmapUnused(): void {
    if (!this.#hasEnded) return;
    if (this.#lease === undefined) this.outgoing.close();
    if (!this.receiver.hasBorrowed) this.incoming.close();
  }
}

/** Sends the end of the direction. */
class SendEnd implements Attempt<void> {
  constructor(
    private readonly control: Control,
    private readonly sender: ChannelSender,
  ) {}

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    const { sender } = this;
    const result = this.control.sendEnd();
    sender.needsSocket = result === -EAGAIN;
    if (sender.needsSocket) return WOULD_BLOCK;
    if (result < 0) throw this.failure(result);
  }

  get needsFirstTry(): boolean {
    return true;
  }

  failure(errno: number): Error {
    return this.sender.sendingFailure(errno, []);
  }
}
