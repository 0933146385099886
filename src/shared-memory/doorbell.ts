/** Waiting for the peer: announces that a side sleeps, and continues its operations when the socket is readable. */
import { systemError } from '../errors';
import { EINTR, POLLIN, POLLOUT } from '../system/linux';
import { os } from '../system/os';
import { queueMicrotask } from '../system/timers';
import type { Sleep } from '../waiting/blocking';
import { type OperationQueue, READABLE, type Waker, WRITABLE } from '../waiting/operation-queue';
import type { PolledDescriptor, Waiter } from '../waiting/readiness';

/** One side of a channel, as the doorbell sees it. */
export interface Side {
  /** Announces to the peer that this side sleeps. Returns whether there is a reason to try again. */
  sleep(): boolean;
  /** Reverses {@link sleep}. */
  awake(): void;
}

/** The sending side can also wait for the socket, if it has no room for descriptors. */
export interface Sides {
  /** The error that has ended the channel. The socket may be closed. */
  readonly failure: Error | undefined;
  readonly receiver: Side;
  readonly sender: Side & { readonly needsSocket: boolean };
  /** Receives one message of the socket. Throws the error that has ended the channel. */
  receiveControl(): void;
}

export class Doorbell implements Waker, Waiter {
  readonly direction = READABLE;
  #receives: OperationQueue | undefined;
  #sends: OperationQueue | undefined;
  readonly #room: Waiter = { direction: WRITABLE, proceed: () => this.#sends?.proceed() };
  #waitsForSocket = false;
  /** Whether what waits is about to be continued. */
  #isRinging = false;

  constructor(
    private readonly descriptor: PolledDescriptor,
    private readonly sides: Sides,
  ) {}

  wait(queue: OperationQueue): void {
    const { receiver, sender, failure } = this.sides;
    if (failure !== undefined) throw failure;
    // Also if it was called before: an error on the socket has stopped the poll.
    this.descriptor.wait(this);
    if (queue.direction === READABLE) this.#receives = queue;
    else this.#sends = queue;
    if (queue.direction === WRITABLE && sender.needsSocket) {
      this.descriptor.wait(this.#room);
      this.#waitsForSocket = true;
      return;
    }
    // The first operation waits for the ring now. A socket with room would be reported all the time.
    if (queue.direction === WRITABLE) this.#leaveRoom();
    const side = queue.direction === READABLE ? receiver : sender;
    // Not at once: the queue is about to wait.
    if (side.sleep()) queueMicrotask(() => queue.proceed());
  }

  leave(queue: OperationQueue): void {
    if (queue.direction === READABLE) {
      this.#receives = undefined;
      this.sides.receiver.awake();
    } else {
      this.#sends = undefined;
      this.sides.sender.awake();
      this.#leaveRoom();
    }
    if (this.#receives === undefined && this.#sends === undefined) this.descriptor.leave(this);
  }

  #leaveRoom(): void {
    if (!this.#waitsForSocket) return;
    this.#waitsForSocket = false;
    this.descriptor.leave(this.#room);
  }

  /** Continues what waits, because the socket is readable. */
  proceed(): void {
    this.#isRinging = true;
    try {
      this.sides.receiveControl();
    } catch (error) {
      this.#receives?.cancel(error);
      this.#sends?.cancel(error);
    } finally {
      this.#isRinging = false;
    }
    this.#continue();
  }

  /**
   * Continues what waits, because a message of the socket was received: an operation of one direction can receive the
   * wake-up for the other one.
   */
  ring(): void {
    if (this.#isRinging || (this.#receives === undefined && this.#sends === undefined)) return;
    this.#isRinging = true;
    queueMicrotask(() => {
      this.#isRinging = false;
      this.#continue();
    });
  }

  #continue(): void {
    this.#receives?.proceed();
    this.#sends?.proceed();
  }

  /** Sleeps in a blocking call of one side. */
  sleepOf(side: Side): Sleep {
    return (milliseconds) => {
      const { sender } = this.sides;
      const needsSocket = side === sender && sender.needsSocket;
      if (!needsSocket && side.sleep()) return 0;
      const { fd } = this.descriptor;
      const events = os.poll(fd, needsSocket ? POLLIN | POLLOUT : POLLIN, milliseconds);
      side.awake();
      if (events < 0 && events !== -EINTR) throw systemError('poll', events);
      if (events > 0 && (events & POLLOUT) === 0) this.sides.receiveControl();
      return 0;
    };
  }
}
