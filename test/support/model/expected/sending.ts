import assert from 'node:assert/strict';
import { MessageFlag } from 'seqpacket';
import type { KernelSocket } from './kernel.js';
import { type Message, NOT_OPEN } from './message.js';
import { Operation, type Ticket } from './operation.js';
import { failed, isError, type Outcome } from './outcome.js';
import type { Session, SocketModel } from './socket-model.js';

/** What all kinds of sending have in common. */
export abstract class Sending extends Operation {
  constructor(
    readonly socket: SocketModel,
    readonly messages: readonly Message[],
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('sendmsg', ticket, signal);
  }

  /** Sends a message; the error; or undefined if it has to wait. */
  protected send(message: Message): 'sent' | string | undefined {
    const session = this.socket.session as Session;
    const { kernel, counters } = session;
    const { outcome } = this.ticket;
    const isSaid = (error: string) =>
      outcome !== undefined && 'error' in outcome && outcome.error.startsWith(error);
    const { data } = message;
    if (kernel.reset) {
      kernel.reset = false;
      session.wasReset = true;
      return 'ECONNRESET';
    }
    if (session.wasContested && isSaid('sendmsg ECONNRESET')) {
      session.wasContested = false;
      return 'ECONNRESET';
    }
    if (kernel.state !== 'connected') return 'ENOTCONN';
    if (message.files.includes(NOT_OPEN)) return 'EBADF';
    if (data.length > kernel.sendBuffer - 32) return `EMSGSIZE ${data.length}`;
    if (kernel.sendsNoMore) return 'EPIPE';
    const { hasRoom } = kernel;
    if (hasRoom === false || (hasRoom === undefined && isSaid('sendmsg EAGAIN'))) return undefined;
    const peer = kernel.peer as KernelSocket;
    if (peer.receivesNoMore) return 'EPIPE';
    peer.queue.push(message);
    counters.messagesSent++;
    counters.bytesSent += data.length;
    return 'sent';
  }

  get isOwed(): boolean {
    const { isSurelyWritable, endedSending } = (this.socket.session as Session).kernel;
    return isSurelyWritable || endedSending;
  }
}

/** One message: send, sendWithFds, trySend. */
export class Send extends Sending {
  readonly #isBroken: boolean;
  #hasWaited = false;

  constructor(
    socket: SocketModel,
    readonly message: Message,
    readonly flags: number,
    ticket: Ticket,
    signal?: AbortSignal,
  ) {
    super(socket, [message], ticket, signal);
    this.#isBroken = message.files.includes(NOT_OPEN);
  }

  attempt(): Outcome | undefined {
    const { outcome } = this.ticket;
    // Descriptors are duplicated when the operation begins to wait, and may fail then.
    if (this.#isBroken && isError(outcome, 'sendmsg EBADF')) return outcome;
    // Whether it was tried before there was room again, behind others, is for the event loop to say.
    if (this.#hasWaited && this.mayNotWait && isError(outcome, 'sendmsg EAGAIN')) return outcome;
    const result = this.send(this.message);
    if (result === 'sent') return { value: this.message.data.length };
    if (result !== undefined) return failed(`sendmsg ${result}`);
    return this.mayNotWait && isError(outcome, 'sendmsg EAGAIN') ? outcome : undefined;
  }

  override get mayNotWait(): boolean {
    return (this.flags & MessageFlag.dontWait) !== 0;
  }

  override get isImpatient(): boolean {
    return this.mayNotWait || this.#isBroken;
  }

  override hold(): void {
    this.#hasWaited = true;
    if (!this.#isBroken) this.held = this.message.files;
  }
}

/** sendMany, which may have sent some while it waits for room for the others. */
export class SendMany extends Sending {
  #sent = 0;

  /** @param totalSent how many messages the socket says were sent through it */
  constructor(
    socket: SocketModel,
    messages: readonly Message[],
    readonly totalSent: () => number,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super(socket, messages, ticket, signal);
  }

  attempt(): Outcome | undefined {
    while (this.#sent < this.messages.length) {
      const result = this.send(this.messages[this.#sent] as Message);
      if (result === undefined) return undefined;
      if (result !== 'sent') return failed(`sendmsg ${result}${this.suffix}`);
      this.#sent++;
    }
    return { value: this.#sent };
  }

  override advance(): boolean {
    if (this.#sent >= this.#sentInReality) return false;
    assert.equal(this.send(this.messages[this.#sent] as Message), 'sent');
    this.#sent++;
    return true;
  }

  get #sentInReality(): number {
    const { outcome } = this.ticket;
    if (outcome === undefined) {
      const { messagesSent } = (this.socket.session as Session).counters;
      return this.#sent + this.totalSent() - messagesSent;
    }
    return 'value' in outcome ? this.messages.length : Number(/ after (\d+)$/.exec(outcome.error)?.[1]);
  }

  override get suffix(): string {
    return ` after ${this.#sent}`;
  }

  override get isImpatient(): boolean {
    return this.#sent === this.messages.length;
  }
}
