import type { SocketPath } from '../addresses/address';
import { checkOptions, checkTimeout, type SignalOption, type TimeoutOption } from '../arguments';
import { type EmptyMessages, emptyMessagesOption } from '../messages/empty-messages';
import { connectBlocking, SeqpacketSocket } from './socket';

export interface PairOptions {
  /** How to report zero-length messages: `'eof'` (default) or `'deliver'`. */
  emptyMessages?: EmptyMessages | undefined;
}

export interface ConnectOptions extends SignalOption, PairOptions {}

export interface ConnectSyncOptions extends TimeoutOption, PairOptions {}

/**
 * Creates a socket and connects it to a listening socket (connect(2)). While the backlog of the listener is full, this
 * waits. The caller must close the socket. If the connect fails or is aborted, the socket is closed.
 *
 * @throws (rejects) `ECONNREFUSED` if no process listens, `ENOENT`, `EACCES`, `EMFILE`, …
 */
export function connect(path: SocketPath, options?: ConnectOptions): Promise<SeqpacketSocket> {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const socket = new SeqpacketSocket();
  return socket.connect(path, options).then(
    () => withEmptyMessages(socket, mode),
    (error) => {
      socket.close();
      throw error;
    },
  );
}

/**
 * Creates a socket and connects it to a listening socket (connect(2)). While the backlog of the listener is full, the
 * thread sleeps, and its event loop is blocked. The caller must close the socket. If the connect fails, the socket is
 * closed.
 *
 * @throws the errors of {@link connect}; `ETIMEDOUT` if the backlog was full for the whole time
 */
export function connectSync(path: SocketPath, options?: ConnectSyncOptions): SeqpacketSocket {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const timeout = checkTimeout(options);
  const socket = new SeqpacketSocket();
  try {
    connectBlocking(socket, path, timeout);
    return withEmptyMessages(socket, mode);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Creates two sockets that are connected to each other (socketpair(2)). The caller must close both.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function pair(options?: PairOptions): [SeqpacketSocket, SeqpacketSocket] {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const [left, right] = SeqpacketSocket.pair();
  return [withEmptyMessages(left, mode), withEmptyMessages(right, mode)];
}

/** Sets the option `emptyMessages` of a new socket, and returns the socket. */
export function withEmptyMessages(socket: SeqpacketSocket, mode: EmptyMessages): SeqpacketSocket {
  if (mode !== 'eof') socket.setOption('emptyMessages', mode);
  return socket;
}
