/** One connection whose messages are lines of text: that of `connect`, and each of `listen`. */
import type { SeqpacketSocket } from 'seqpacket';
import { describeDescriptors } from '../kernel/descriptors.js';
import type { Outgoing } from '../messages/message.js';
import { MAX_FDS, sendOutgoing } from '../messages/sending.js';
import { now } from '../process/clock.js';
import { codeOf, Failure } from '../process/failure.js';
import type { IdleTimeout } from '../process/idle-timeout.js';
import type { Display } from './display.js';
import type { ReceivedDescriptors } from './received-descriptors.js';

export class Conversation {
  /** The numbers of messages so far. */
  sent = 0;
  received = 0;
  /** Whether the peer's end of file, an error, or the limit has ended receiving. */
  hasReceivedAll = false;
  /** Called after each message, and at the end of receiving. */
  #onReceived = () => {};
  #firstFds: readonly (string | number)[];
  #isHalfClosed = false;

  /** @param firstFds descriptors to pass with the first message */
  constructor(
    readonly socket: SeqpacketSocket,
    readonly number: number,
    private readonly display: Display,
    private readonly timeout: IdleTimeout,
    private readonly descriptors: ReceivedDescriptors,
    firstFds: readonly (string | number)[],
  ) {
    this.#firstFds = firstFds;
  }

  /** Receives and shows messages until the end of file, or until their number is `limit`. */
  async receiveAll(limit = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      for await (const message of this.socket.messages({ maxFds: MAX_FDS })) {
        this.timeout.restart();
        this.received++;
        this.#onReceived();
        const incoming = {
          time: now(),
          connection: this.number,
          message,
          descriptions: describeDescriptors(message.fds),
        };
        await this.display.message(incoming);
        await this.descriptors.take(incoming);
        if (this.received >= limit) return;
      }
      this.display.ended(this.number);
    } catch (error) {
      // Closed by this process.
      if (codeOf(error) === 'ECANCELED') return;
      if (codeOf(error) === 'ECONNRESET') {
        throw new Failure('the peer has closed without receiving all messages that were sent');
      }
      throw error;
    } finally {
      this.hasReceivedAll = true;
      this.#onReceived();
    }
  }

  /**
   * Waits until so many messages were received, or receiving has ended. Returns false if no message arrives for a time
   * before.
   */
  hasReceived(count: number, quietMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (hasReceived: boolean) => {
        clearTimeout(timer);
        this.#onReceived = () => {};
        resolve(hasReceived);
      };
      const timer = setTimeout(end, quietMs, false);
      this.#onReceived = () => {
        timer.refresh();
        if (this.received >= count || this.hasReceivedAll) end(true);
      };
      this.#onReceived();
    });
  }

  /** Discards all further messages. A close with unread messages would reset the peer's connection. */
  async discardRest(): Promise<void> {
    try {
      for await (const _ of this.socket.messages());
    } catch (error) {
      if (!['ECANCELED', 'ECONNRESET'].includes(codeOf(error) ?? '')) throw error;
    }
  }

  async send({ data, fds }: Outgoing): Promise<void> {
    const all = [...this.#firstFds, ...fds];
    this.#firstFds = [];
    await sendOutgoing(this.socket, { data, fds: all });
    this.sent++;
    this.timeout.restart();
  }

  /** Shuts down sending, so that the peer receives the end of file. */
  halfClose(): void {
    if (this.#isHalfClosed) return;
    this.#isHalfClosed = true;
    this.#shutdown('send');
  }

  /** Shuts down receiving. The messages that wait are still received. */
  stopReceiving(): void {
    this.#shutdown('receive');
  }

  #shutdown(what: 'send' | 'receive'): void {
    if (!this.socket.isOpen) return;
    try {
      this.socket.shutdown(what);
    } catch (error) {
      // The peer has closed already.
      if (codeOf(error) !== 'ENOTCONN') throw error;
    }
  }
}
