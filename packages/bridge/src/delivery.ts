/** Messages on their way from NATS to the local program: in order, and with back-pressure by the credit. */
import type { SeqpacketSocket } from 'seqpacket';
import { codeOf } from './failure.js';

/** One system call sends that many messages, and that many bytes, at most. */
const BATCH_MESSAGES = 64;
const BATCH_BYTES = 64 * 1024;

interface Waiting {
  data: Uint8Array;
  cost: number;
}

export interface DeliveryEvents {
  delivered(messages: number, bytes: number, cost: number): void;
  /** The local program got everything and the end of file. */
  ended(): void;
  failed(error: unknown, undelivered: number): void;
}

export class Delivery {
  readonly #socket: SeqpacketSocket;
  readonly #events: DeliveryEvents;
  #queue: Waiting[] = [];
  #isRunning = false;
  #isEnding = false;
  #isStopped = false;

  constructor(socket: SeqpacketSocket, events: DeliveryEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  push(data: Uint8Array, cost: number): void {
    this.#queue.push({ data, cost });
    this.#start();
  }

  /** After the messages that were pushed. */
  end(): void {
    this.#isEnding = true;
    this.#start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  /** Starts after the frames that have arrived together, so that one system call sends their messages. */
  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#isStopped) {
        const batch = this.#nextBatch();
        const sent = this.#sendAtOnce(batch) ? 1 : await this.#send(batch);
        if (this.#isStopped) return;
        this.#report(this.#queue.splice(0, sent));
      }
      this.#isRunning = false;
      if (!this.#isEnding || this.#isStopped) return;
      this.#isStopped = true;
      this.#shutdown();
      this.#events.ended();
    } catch (error) {
      if (this.#isStopped) return;
      this.#events.failed(error, this.#queue.length);
    }
  }

  #nextBatch(): Uint8Array[] {
    const batch: Uint8Array[] = [];
    let bytes = 0;
    for (const { data } of this.#queue) {
      if (batch.length === BATCH_MESSAGES || (batch.length > 0 && bytes + data.length > BATCH_BYTES)) break;
      batch.push(data);
      bytes += data.length;
    }
    return batch;
  }

  #sendAtOnce(batch: Uint8Array[]): boolean {
    if (batch.length > 1) return false;
    try {
      return this.#socket.trySend(batch[0]!);
    } catch (error) {
      if (codeOf(error) !== 'EMSGSIZE') throw error;
      return false;
    }
  }

  /** Returns the number of messages that were sent. Enlarges the send buffer as far as net.core.wmem_max allows. */
  async #send(batch: Uint8Array[]): Promise<number> {
    let isEnlarged = false;
    for (;;) {
      try {
        return await this.#socket.sendMany(batch);
      } catch (error) {
        const { messagesSent = 0 } = error as { messagesSent?: number };
        if (messagesSent > 0) return messagesSent;
        if (codeOf(error) !== 'EMSGSIZE' || isEnlarged) throw error;
        isEnlarged = true;
        this.#socket.setOption('sendBufferSize', batch[0]!.length);
      }
    }
  }

  #report(sent: Waiting[]): void {
    let bytes = 0;
    let cost = 0;
    for (const message of sent) {
      bytes += message.data.length;
      cost += message.cost;
    }
    this.#events.delivered(sent.length, bytes, cost);
  }

  #shutdown(): void {
    try {
      this.#socket.shutdown('send');
    } catch (error) {
      // The local program has closed the connection, and does not need the end of file.
      if (codeOf(error) !== 'ENOTCONN' && codeOf(error) !== 'EPIPE') throw error;
    }
  }
}
