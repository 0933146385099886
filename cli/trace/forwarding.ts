/** A man in the middle of one connection: every message goes on whole, with its descriptors. */
import type { Message, SeqpacketSocket } from 'seqpacket';
import { sendWhole } from '../messages/sending.js';
import { codeOf, reasonOf } from '../process/failure.js';

export type Direction = 'to server' | 'to client';

/** Who sees what goes by. A promise makes the connection wait. */
export interface Observer {
  message(direction: Direction, message: Message): Promise<void> | undefined;
  event(
    direction: Direction,
    event: 'end of file' | 'connection reset' | 'not delivered',
    detail?: string,
  ): void;
}

const ALL_FDS = { maxFds: 253 };
const ENDS = ['EOF', 'ECONNRESET', 'ECANCELED', 'EBADF'];

/** Forwards in both directions until both have ended, and closes both sockets. */
export async function forward(
  client: SeqpacketSocket,
  server: SeqpacketSocket,
  observer: Observer,
): Promise<void> {
  try {
    await Promise.all([
      forwardOneWay(client, server, 'to server', observer),
      forwardOneWay(server, client, 'to client', observer),
    ]);
  } finally {
    client.close();
    server.close();
  }
}

/** Returns when there is nothing more to forward in this direction, or nobody to forward it to. */
async function forwardOneWay(
  from: SeqpacketSocket,
  to: SeqpacketSocket,
  direction: Direction,
  observer: Observer,
): Promise<void> {
  for (;;) {
    let message: Message;
    try {
      message = await from.receiveMessage(ALL_FDS);
    } catch (error) {
      endOfReceiving(error, from, to, direction, observer);
      return;
    }
    try {
      const seen = observer.message(direction, message);
      if (seen !== undefined) await seen;
      await sendWhole(to, message.data, message.fds);
    } catch (error) {
      await endOfSending(error, from, direction, observer);
      return;
    } finally {
      for (const fd of message.fds) fd.close();
    }
  }
}

function endOfReceiving(
  error: unknown,
  from: SeqpacketSocket,
  to: SeqpacketSocket,
  direction: Direction,
  observer: Observer,
): void {
  switch (codeOf(error)) {
    case 'EOF':
      observer.event(direction, 'end of file');
      if (to.isOpen) shutdown(to, 'send');
      return;
    case 'ECONNRESET':
      // It is gone for good and has not read everything. The other one shall learn the same: what it has sent and
      // is still unread here makes the kernel tell it so.
      observer.event(direction, 'connection reset');
      from.close();
      to.close();
      return;
    case 'ECANCELED':
    case 'EBADF':
      // Closed by the other direction, or because everything ends.
      return;
    default:
      throw error;
  }
}

/** The sender shall then meet EPIPE, as if nobody were in the middle. */
async function endOfSending(
  error: unknown,
  from: SeqpacketSocket,
  direction: Direction,
  observer: Observer,
): Promise<void> {
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
      observer.event(direction, 'not delivered', 'the last message: the connection was closed meanwhile');
      return;
    case 'EMSGSIZE':
      // The only way to tell the sender that a message was lost is to break the connection.
      observer.event(direction, 'not delivered', reasonOf(error));
  }
  throw error;
}

/** Takes what was sent before the shutdown: whoever waits for room to send learns only then that there is no use. */
async function discard(from: SeqpacketSocket): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      for (const fd of (await from.receiveMessage(ALL_FDS)).fds) fd.close();
    } catch (error) {
      if (ENDS.includes(codeOf(error) ?? '')) return count;
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
