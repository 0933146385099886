/** Forwards one connection: every message, whole, with its descriptors, in both directions. */
import type { Message, SeqpacketSocket } from 'seqpacket';
import { MAX_FDS, sendMessage } from '../messages/sending.js';
import { codeOf, reasonOf } from '../process/failure.js';

export type Direction = 'to server' | 'to client';

export interface Observer {
  /** Called before the message is forwarded. The connection waits for a returned promise. */
  message(direction: Direction, message: Message): Promise<void> | undefined;
  event(
    direction: Direction,
    event: 'end of file' | 'connection reset' | 'not delivered',
    detail?: string,
  ): void;
}

/** The codes with which receiving ends. */
const END_CODES = ['EOF', 'ECONNRESET', 'ECANCELED', 'EBADF'];

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

/** Returns at the end of file, or when the receiver has closed. */
async function forwardOneWay(
  from: SeqpacketSocket,
  to: SeqpacketSocket,
  direction: Direction,
  observer: Observer,
): Promise<void> {
  for (;;) {
    let message: Message;
    try {
      message = await from.receiveMessage({ maxFds: MAX_FDS });
    } catch (error) {
      handleReceiveError(error, from, to, direction, observer);
      return;
    }
    try {
      const observed = observer.message(direction, message);
      if (observed !== undefined) await observed;
      await sendMessage(to, message.data, message.fds);
    } catch (error) {
      await handleSendError(error, from, direction, observer);
      return;
    } finally {
      for (const fd of message.fds) fd.close();
    }
  }
}

function handleReceiveError(
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
async function handleSendError(
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
      observer.event(direction, 'not delivered', 'the last message: the connection was closed');
      return;
    case 'EMSGSIZE':
      // Only closing the connection reports a lost message to its sender.
      observer.event(direction, 'not delivered', reasonOf(error));
  }
  throw error;
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
