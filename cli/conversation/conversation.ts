/** One connection whose messages are lines: for `connect`, and for each client of `listen`. */
import type { SeqpacketSocket } from 'seqpacket';
import { describeAll } from '../kernel/descriptors.js';
import type { Outgoing } from '../messages/framing.js';
import { sendOutgoing } from '../messages/sending.js';
import { now } from '../process/clock.js';
import { codeOf, Failure } from '../process/failure.js';
import type { Patience } from '../process/idle-timeout.js';
import type { Presentation } from './display.js';
import type { ReceivedDescriptors } from './received-descriptors.js';

const ALL_FDS = { maxFds: 253 };

export class Conversation {
  /** Whether the peer has sent all that it will. */
  isHeard = false;
  #firstFds: readonly (string | number)[];
  #isHalfClosed = false;

  /** @param firstFds what goes with the first message that is sent */
  constructor(
    readonly socket: SeqpacketSocket,
    readonly number: number,
    private readonly presentation: Presentation,
    private readonly patience: Patience,
    private readonly received: ReceivedDescriptors,
    firstFds: readonly (string | number)[],
  ) {
    this.#firstFds = firstFds;
  }

  /** Shows what comes, until the end of file. */
  async hear(): Promise<void> {
    try {
      for await (const message of this.socket.messages(ALL_FDS)) {
        this.patience.touch();
        const incoming = {
          time: now(),
          connection: this.number,
          message,
          descriptions: describeAll(message.fds),
        };
        await this.presentation.message(incoming);
        await this.received.take(incoming);
      }
      this.presentation.ended(this.number);
    } catch (error) {
      // Closed on our side: whoever did that knows why.
      if (codeOf(error) === 'ECANCELED') return;
      if (codeOf(error) === 'ECONNRESET') {
        throw new Failure('the peer has closed without reading all that was sent to it');
      }
      throw error;
    } finally {
      this.isHeard = true;
    }
  }

  async send({ data, fds }: Outgoing): Promise<void> {
    const all = [...this.#firstFds, ...fds];
    this.#firstFds = [];
    await sendOutgoing(this.socket, { data, fds: all });
    this.patience.touch();
  }

  /** Says that nothing more will be sent. */
  halfClose(): void {
    if (this.#isHalfClosed || !this.socket.isOpen) return;
    this.#isHalfClosed = true;
    try {
      this.socket.shutdown('send');
    } catch (error) {
      // The peer is gone: it does not need to be told.
      if (codeOf(error) !== 'ENOTCONN') throw error;
    }
  }
}
