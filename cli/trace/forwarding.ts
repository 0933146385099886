/** Forwards one connection: every message, whole, with its descriptors, in both directions. */
import type { Message, SeqpacketSocket } from 'seqpacket';
import { MAX_FDS, sendMessage } from '../messages/sending.js';
import { codeOf, reasonOf } from '../process/failure.js';
import { Turns } from './turns.js';

export type Direction = 'to server' | 'to client';

export interface ForwardedMessage extends Message {
  /** Whether the page of the inspector has sent it, not the peer. */
  isSentAgain?: boolean;
}

export interface Observer {
  /**
   * Called before a message is forwarded, and after a message of `Forwarding.send` was sent. The direction waits for a
   * returned promise.
   */
  message(direction: Direction, message: ForwardedMessage): Promise<void> | undefined;
  event(
    direction: Direction,
    event: 'end of file' | 'connection reset' | 'not delivered',
    detail?: string,
  ): void;
}

/** The codes with which receiving ends. */
const END_CODES = ['EOF', 'ECONNRESET', 'ECANCELED', 'EBADF'];

export class Forwarding {
  readonly #client: SeqpacketSocket;
  readonly #server: SeqpacketSocket;
  readonly #toServer: OneWay;
  readonly #toClient: OneWay;

  constructor(client: SeqpacketSocket, server: SeqpacketSocket, observer: Observer) {
    this.#client = client;
    this.#server = server;
    this.#toServer = new OneWay(client, server, 'to server', observer);
    this.#toClient = new OneWay(server, client, 'to client', observer);
  }

  /** Forwards in both directions until both have ended, and closes both sockets. */
  async run(): Promise<void> {
    try {
      await Promise.all([this.#toServer.run(), this.#toClient.run()]);
    } finally {
      this.#client.close();
      this.#server.close();
    }
  }

  /**
   * Sends a message that is not the peer's, between two forwarded messages.
   *
   * @throws the error of the send
   */
  send(direction: Direction, data: Buffer): Promise<void> {
    return (direction === 'to server' ? this.#toServer : this.#toClient).send(data);
  }
}

class OneWay {
  /** A turn lasts from the observation of a message until it is sent, so that messages are sent as they are observed. */
  readonly #turns = new Turns();

  constructor(
    private readonly from: SeqpacketSocket,
    private readonly to: SeqpacketSocket,
    private readonly direction: Direction,
    private readonly observer: Observer,
  ) {}

  /** Returns at the end of file, or when the receiver has closed. */
  async run(): Promise<void> {
    const { from, to, direction, observer } = this;
    for (;;) {
      let message: Message;
      try {
        message = await from.receiveMessage({ maxFds: MAX_FDS });
      } catch (error) {
        await this.#handleReceiveError(error);
        return;
      }
      const turn = this.#turns.take();
      if (turn !== undefined) await turn;
      let failure: { error: unknown } | undefined;
      try {
        const observed = observer.message(direction, message);
        if (observed !== undefined) await observed;
        await sendMessage(to, message.data, message.fds);
      } catch (error) {
        failure = { error };
      } finally {
        for (const fd of message.fds) fd.close();
        this.#turns.end();
      }
      if (failure !== undefined) {
        await this.#handleSendError(failure.error);
        return;
      }
    }
  }

  async send(data: Buffer): Promise<void> {
    const turn = this.#turns.take();
    if (turn !== undefined) await turn;
    try {
      await sendMessage(this.to, data, []);
      const message: ForwardedMessage = { data, fds: [], controlTruncated: false, isSentAgain: true };
      const observed = this.observer.message(this.direction, message);
      if (observed !== undefined) await observed;
    } finally {
      this.#turns.end();
    }
  }

  async #handleReceiveError(error: unknown): Promise<void> {
    const { from, to, direction, observer } = this;
    switch (codeOf(error)) {
      case 'EOF': {
        // The shutdown would end a send that waits.
        const turn = this.#turns.take();
        if (turn !== undefined) await turn;
        observer.event(direction, 'end of file');
        if (to.isOpen) shutdown(to, 'send');
        this.#turns.end();
        return;
      }
      case 'ECONNRESET':
        // The sender has closed without reading everything. Closing with unread messages makes the kernel reset the
        // other connection, too.
        observer.event(direction, 'connection reset');
        from.close();
        to.close();
        return;
      case 'ECANCELED':
      case 'EBADF':
        // Closed by the other direction, or because the process is to stop.
        return;
      default:
        throw error;
    }
  }

  /** Shuts down receiving, so that the sender gets EPIPE, as on a direct connection. */
  async #handleSendError(error: unknown): Promise<void> {
    const { from, direction, observer } = this;
    switch (codeOf(error)) {
      case 'EPIPE':
      case 'ECONNRESET': {
        if (from.isOpen) shutdown(from, 'receive');
        const more = await discard(from);
        const which = more === 0 ? 'the last message' : `the last ${more + 1} messages`;
        observer.event(direction, 'not delivered', `${which}: the receiver has closed`);
        return;
      }
      case 'ECANCELED':
      case 'EBADF':
        observer.event(direction, 'not delivered', 'the last message: the connection was closed');
        return;
      case 'EMSGSIZE':
        // Only closing the connection reports a lost message to its sender.
        observer.event(direction, 'not delivered', reasonOf(error));
    }
    throw error;
  }
}

/**
 * Receives the messages that were sent before the shutdown, and returns their number. A waiting sender gets EPIPE only
 * when the queue has room.
 */
async function discard(from: SeqpacketSocket): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      for (const fd of (await from.receiveMessage({ maxFds: MAX_FDS })).fds) fd.close();
    } catch (error) {
      if (END_CODES.includes(codeOf(error) ?? '')) return count;
      throw error;
    }
  }
}

function shutdown(socket: SeqpacketSocket, what: 'send' | 'receive'): void {
  try {
    socket.shutdown(what);
  } catch (error) {
    if (codeOf(error) !== 'ENOTCONN') throw error;
  }
}
