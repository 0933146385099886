/** One session: a local SEQPACKET connection, and its frames in both directions. Both bridges run the same code. */
import type { SeqpacketSocket } from 'seqpacket';
import type { Traffic } from './counters.js';
import { type CreditPool, costOf, ReceivingCredit, SendingCredit } from './credit.js';
import { Delivery } from './delivery.js';
import { codeOf, reasonOf } from './failure.js';
import {
  decodeCredit,
  decodeFrame,
  decodeTotals,
  encodeCredit,
  encodeFrame,
  encodeTotals,
  FRAME,
  type Frame,
  type FrameType,
  following,
  HEADER_BYTES,
  writeHeader,
} from './frame.js';
import { decodeReset, encodeBody, type Terms } from './hand-shake.js';
import { Intake } from './intake.js';
import { Liveness } from './liveness.js';
import { piecesOf, Reassembly } from './pieces.js';

/** How a session ended. */
export interface SessionEnd {
  /** `undefined`: both programs ended their direction, and everything was delivered. */
  code: string | undefined;
  reason: string;
  /** From the local program, and sent to the other bridge. */
  sent: Traffic;
  /** Delivered to the local program. */
  delivered: Traffic;
}

export interface SessionSettings {
  socket: SeqpacketSocket;
  /** Publishes a frame for the other bridge. */
  publish(frame: Uint8Array): void;
  /** What this bridge has offered, and what the other one needs. */
  own: Terms;
  other: Terms;
  pool: CreditPool;
  /** In milliseconds. */
  heartbeatEvery: number;
  ended(end: SessionEnd): void;
}

export class Session {
  readonly #socket: SeqpacketSocket;
  readonly #settings: SessionSettings;
  readonly #sending: SendingCredit;
  readonly #receiving: ReceivingCredit;
  readonly #delivery: Delivery;
  readonly #intake: Intake;
  readonly #reassembly = new Reassembly();
  readonly #liveness: Liveness;
  readonly #sent: Traffic = { messages: 0, bytes: 0 };
  readonly #arrived: Traffic = { messages: 0, bytes: 0 };
  readonly #delivered: Traffic = { messages: 0, bytes: 0 };
  /** The frame 0 of each direction opened the session. */
  #nextNumber = 1;
  #expectedNumber = 1;
  #isOver = false;
  #hasSentEnd = false;
  #isEndDelivered = false;
  #hasReceivedEnd = false;
  #hasDeliveredEnd = false;

  constructor(settings: SessionSettings) {
    const { socket, own, other, pool, heartbeatEvery } = settings;
    this.#socket = socket;
    this.#settings = settings;
    this.#sending = new SendingCredit(other.window, other.piece);
    this.#receiving = new ReceivingCredit(pool, own.window, own.piece);
    this.#liveness = new Liveness(Math.min(heartbeatEvery, other.deadAfter / 3), own.deadAfter);
    this.#intake = new Intake(socket, other.piece);
    this.#delivery = new Delivery(socket, {
      delivered: (messages, bytes, cost) => this.#wereDelivered(messages, bytes, cost),
      ended: () => this.#deliveredEnd(),
      failed: (error, undelivered) => this.#couldNotDeliver(error, undelivered),
    });
  }

  /** Starts to forward the messages of the local program. */
  start(): void {
    void this.#forward();
  }

  /** To be called every `tick` milliseconds. */
  tick(now: number, tick: number): void {
    if (this.#liveness.isDead(now, tick)) {
      const seconds = this.#settings.own.deadAfter / 1000;
      this.fail('ECONNRESET', `nothing was heard from the other bridge for about ${seconds} s`);
    } else if (this.#liveness.isHeartbeatDue(tick)) {
      this.#send(FRAME.heartbeat);
    }
  }

  /** Takes a frame of the other bridge. */
  receive(payload: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#take(decodeFrame(payload));
    } catch (error) {
      if (error instanceof RangeError)
        this.fail('EPROTO', `the other bridge broke the protocol: ${error.message}`);
      else this.fail('EIO', `a frame could not be handled: ${reasonOf(error)}`);
    }
  }

  /**
   * Ends the session with an error. Closing the socket with unread messages makes the kernel report ECONNRESET to the
   * local program.
   */
  fail(code: string, reason: string, { report = true } = {}): void {
    if (this.#isOver) return;
    // Publishing it may fail, too, and then ends the session.
    if (report) this.#send(FRAME.reset, encodeBody({ code, reason }));
    this.#finish(code, reason);
  }

  #take({ type, number, body }: Frame): void {
    this.#liveness.heard();
    if (type === FRAME.reset) {
      const { code, reason } = decodeReset(body);
      this.fail(code, `the other bridge: ${reason}`, { report: false });
      return;
    }
    if (number !== this.#expectedNumber) {
      const fault = (number - this.#expectedNumber) >>> 0 < 0x80000000 ? 'a gap' : 'a late or doubled piece';
      this.fail('ECONNRESET', `${fault}: frame ${number} in place of ${this.#expectedNumber}`);
      return;
    }
    this.#expectedNumber = following(number);
    switch (type) {
      case FRAME.piece:
      case FRAME.lastPiece:
        this.#takePiece(type, body);
        return;
      case FRAME.credit:
        this.#sending.raise(decodeCredit(body));
        return;
      case FRAME.heartbeat:
        return;
      case FRAME.end:
        this.#takeEnd(decodeTotals(body));
        return;
      case FRAME.delivered:
        if (!this.#hasSentEnd || this.#isEndDelivered) throw new RangeError('"delivered" without an end');
        this.#isEndDelivered = true;
        this.#finishIfComplete();
        return;
      default:
        throw new RangeError(`a frame of type ${type} in a session`);
    }
  }

  #takePiece(type: FrameType, piece: Buffer): void {
    if (this.#hasReceivedEnd) throw new RangeError('a piece after the end');
    this.#receiving.arrive(piece.length);
    const cost = costOf(piece.length);
    if (type === FRAME.piece) {
      this.#reassembly.add(piece);
      // Otherwise a message longer than the window would never be complete.
      this.#grant(cost);
      return;
    }
    const message = this.#reassembly.finish(piece);
    this.#arrived.messages++;
    this.#arrived.bytes += message.length;
    this.#delivery.push(message, cost);
  }

  #takeEnd({ messages, bytes }: Traffic): void {
    if (this.#hasReceivedEnd || !this.#reassembly.isEmpty) throw new RangeError('an unexpected end');
    if (messages !== this.#arrived.messages || bytes !== this.#arrived.bytes) {
      throw new RangeError(`${this.#arrived.messages} messages arrived, not ${messages}`);
    }
    this.#hasReceivedEnd = true;
    this.#delivery.end();
  }

  #wereDelivered(messages: number, bytes: number, cost: number): void {
    this.#delivered.messages += messages;
    this.#delivered.bytes += bytes;
    this.#grant(cost);
  }

  #deliveredEnd(): void {
    this.#hasDeliveredEnd = true;
    this.#send(FRAME.delivered);
    this.#finishIfComplete();
  }

  #couldNotDeliver(error: unknown, undelivered: number): void {
    const what = `${undelivered} message${undelivered === 1 ? ' was' : 's were'} not delivered`;
    switch (codeOf(error)) {
      case 'EPIPE':
      case 'ECONNRESET':
      case 'ENOTCONN':
        this.fail('ECONNRESET', `the local program has closed the connection, ${what}`);
        return;
      case 'EMSGSIZE':
        this.fail('EMSGSIZE', `${what}: raise the sysctl net.core.wmem_max: ${reasonOf(error)}`);
        return;
      default:
        this.fail(codeOf(error) ?? 'EIO', `${what}: ${reasonOf(error)}`);
    }
  }

  #grant(cost: number): void {
    if (this.#isOver) return;
    const limit = this.#receiving.finish(cost);
    if (limit !== undefined) this.#send(FRAME.credit, encodeCredit(limit));
  }

  /** Forwards the messages of the local program until it ends or the session is over. */
  async #forward(): Promise<void> {
    try {
      for (;;) {
        // Before the message is received: one that waits in the kernel makes the kernel report a reset.
        while (!this.#sending.isAvailable && !this.#isOver) await this.#sending.wait();
        if (this.#isOver) return;
        const { frame, message, hasDescriptors } = await this.#intake.next();
        if (this.#isOver) return;
        if (hasDescriptors) {
          this.fail('EOPNOTSUPP', 'the local program has sent descriptors, which cannot leave the machine');
          return;
        }
        if (frame !== undefined) this.#forwardFrame(frame);
        else await this.#forwardPieces(message!);
      }
    } catch (error) {
      this.#couldNotReceive(error);
    }
  }

  #forwardFrame(frame: Buffer): void {
    const bytes = frame.length - HEADER_BYTES;
    this.#sending.use(bytes);
    this.#publish(writeHeader(frame, FRAME.lastPiece, this.#takeNumber()));
    if (!this.#isOver) this.#count(bytes);
  }

  async #forwardPieces(message: Buffer): Promise<void> {
    let left = message.length;
    for (const piece of piecesOf(message, this.#settings.other.piece)) {
      while (!this.#sending.isAvailable && !this.#isOver) await this.#sending.wait();
      if (this.#isOver) return;
      left -= piece.length;
      this.#sending.use(piece.length);
      this.#send(left === 0 ? FRAME.lastPiece : FRAME.piece, piece);
    }
    if (!this.#isOver) this.#count(message.length);
  }

  #count(bytes: number): void {
    this.#sent.messages++;
    this.#sent.bytes += bytes;
  }

  #couldNotReceive(error: unknown): void {
    if (this.#isOver) return;
    switch (codeOf(error)) {
      case 'EOF':
        this.#hasSentEnd = true;
        this.#send(FRAME.end, encodeTotals(this.#sent.messages, this.#sent.bytes));
        return;
      case 'ECONNRESET':
        this.fail('ECONNRESET', 'the local program has closed the connection with unread messages');
        return;
      default:
        this.fail(codeOf(error) ?? 'EIO', `receiving from the local program failed: ${reasonOf(error)}`);
    }
  }

  #send(type: FrameType, body?: Uint8Array): void {
    this.#publish(encodeFrame(type, this.#takeNumber(), body));
  }

  #takeNumber(): number {
    const number = this.#nextNumber;
    this.#nextNumber = following(number);
    return number;
  }

  #publish(frame: Buffer): void {
    this.#liveness.sent();
    try {
      this.#settings.publish(frame);
    } catch (error) {
      // The server's max_payload was lowered, for example. The other bridge notices the silence.
      this.#finish(codeOf(error) ?? 'EIO', `publishing failed: ${reasonOf(error)}`);
    }
  }

  #finishIfComplete(): void {
    if (this.#isEndDelivered && this.#hasDeliveredEnd) this.#finish(undefined, 'end of file');
  }

  #finish(code: string | undefined, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#delivery.stop();
    this.#receiving.close();
    this.#socket.close();
    this.#sending.wake();
    this.#settings.ended({ code, reason, sent: this.#sent, delivered: this.#delivered });
  }
}
