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
  /** Whether the peer's end of file, or an error, has ended receiving. */
  hasReceivedAll = false;
  #firstFds: readonly (string | number)[];
  #isHalfClosed = false;

  /** @param firstFds descriptors to pass with the first message */
  constructor(
    readonly socket: SeqpacketSocket,
    readonly number: number,
    private readonly display: Display,
    private readonly timeout: IdleTimeout,
    private readonly received: ReceivedDescriptors,
    firstFds: readonly (string | number)[],
  ) {
    this.#firstFds = firstFds;
  }

  /** Receives and shows messages until the end of file. */
  async receiveAll(): Promise<void> {
    try {
      for await (const message of this.socket.messages({ maxFds: MAX_FDS })) {
        this.timeout.restart();
        const incoming = {
          time: now(),
          connection: this.number,
          message,
          descriptions: describeDescriptors(message.fds),
        };
        await this.display.message(incoming);
        await this.received.take(incoming);
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
    }
  }

  async send({ data, fds }: Outgoing): Promise<void> {
    const all = [...this.#firstFds, ...fds];
    this.#firstFds = [];
    await sendOutgoing(this.socket, { data, fds: all });
    this.timeout.restart();
  }

  /** Shuts down sending, so that the peer receives the end of file. */
  halfClose(): void {
    if (this.#isHalfClosed || !this.socket.isOpen) return;
    this.#isHalfClosed = true;
    try {
      this.socket.shutdown('send');
    } catch (error) {
      // The peer has closed already.
      if (codeOf(error) !== 'ENOTCONN') throw error;
    }
  }
}
