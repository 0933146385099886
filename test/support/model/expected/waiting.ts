import type { Message } from './message.js';
import { Operation, type Ticket } from './operation.js';
import type { Outcome } from './outcome.js';
import type { Session, SocketModel } from './socket-model.js';

/** wait */
abstract class Waiting extends Operation {
  constructor(
    readonly socket: SocketModel,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('poll', ticket, signal);
  }

  /** Whether it is ready now; undefined if only the kernel knows. */
  protected abstract get isReady(): boolean | undefined;

  attempt(): Outcome | undefined {
    const ready = { value: undefined };
    if (this.isReady !== undefined) return this.isReady ? ready : undefined;
    return this.ticket.outcome;
  }

  protected get session(): Session {
    return this.socket.session as Session;
  }

  /** Another owner of the same socket may have taken what it was ready for. */
  protected get isShared(): boolean {
    return this.session.kernel.descriptors > 1;
  }
}

export class WaitForReading extends Waiting {
  protected get isReady(): boolean | undefined {
    return this.isOwed || (this.isShared ? undefined : false);
  }

  get isOwed(): boolean {
    const { kernel, held } = this.session;
    return held.length > 0 || kernel.state !== 'connected' || kernel.isReadable;
  }
}

export class WaitForWriting extends Waiting {
  readonly #message: Message;
  /** It was, or is about to be tried, and has room. */
  #isDue = false;

  /** @param bytes the length of the message that must have room */
  constructor(socket: SocketModel, ticket: Ticket, signal: AbortSignal | undefined, bytes = 0) {
    super(socket, ticket, signal);
    this.#message = { data: Buffer.alloc(bytes), files: [] };
  }

  protected get isReady(): boolean | undefined {
    const hasRoom = this.session.kernel.roomFor(this.#message);
    return this.isOwed || hasRoom || (this.isShared ? undefined : hasRoom);
  }

  get isOwed(): boolean {
    const { kernel, endedSending } = this.session;
    if (endedSending || kernel.state !== 'connected') return true;
    return kernel.mustSend(this.#message, this.#isDue);
  }

  override retry(): void {
    this.#isDue = this.session.kernel.roomFor(this.#message) === true;
  }
}
