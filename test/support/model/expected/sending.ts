import assert from 'node:assert/strict';
import { MessageFlag } from 'seqpacket';
import { type Message, NOT_OPEN } from './message.js';
import { Operation, type Ticket } from './operation.js';
import { failed, isError, type Outcome } from './outcome.js';
import type { Session, SocketModel } from './socket-model.js';

/** What all kinds of sending have in common. */
export abstract class Sending extends Operation {
  /** It was, or is about to be tried, and has room. */
  #isDue = false;

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
    if (kernel.reset && kernel.resetsSends) {
      kernel.reset = false;
      session.wasReset = true;
      return 'ECONNRESET';
    }
    if (session.wasContested && isSaid('sendmsg ECONNRESET')) {
      session.wasContested = false;
      return 'ECONNRESET';
    }
    const error = kernel.sendError(message, isSaid);
    if (error !== undefined) return error;
    const hasRoom = kernel.roomFor(message);
    if (hasRoom === false || (hasRoom === undefined && isSaid('sendmsg EAGAIN'))) return undefined;
    const failure = kernel.deliver(message);
    if (failure !== undefined) return failure;
    this.#isDue = false;
    counters.messagesSent++;
    counters.bytesSent += message.data.length;
    return 'sent';
  }

  override get isHeldUp(): boolean {
    return (this.socket.session as Session).kernel.isLeased;
  }

  /** The first message that was not sent yet; undefined if all were. */
  protected abstract get next(): Message | undefined;

  get isOwed(): boolean {
    const { kernel } = this.socket.session as Session;
    const { next } = this;
    if (next === undefined || kernel.endedSending) return true;
    return kernel.mustSend(next, this.#isDue);
  }

  override retry(): void {
    const { next } = this;
    this.#isDue = next !== undefined && (this.socket.session as Session).kernel.roomFor(next) === true;
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

  protected get next(): Message {
    return this.message;
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

  protected get next(): Message | undefined {
    return this.messages[this.#sent];
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
