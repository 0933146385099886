import type { SocketPath } from '../addresses/address';
import { checkOptions, type SignalOption } from '../arguments';
import { type EmptyMessages, emptyMessagesOption } from '../messages/empty-messages';
import { SeqpacketSocket } from './socket';

export interface PairOptions {
  /** How to report zero-length messages: `'eof'` (default) or `'deliver'`. */
  emptyMessages?: EmptyMessages | undefined;
}

export interface ConnectOptions extends SignalOption, PairOptions {}

/**
 * Connects to a listening socket. While its backlog is full, this waits; if it fails, nothing stays open.
 *
 * @throws (rejects) `ECONNREFUSED` if no process listens, `ENOENT`, `EACCES`, `EMFILE`, …
 */
export function connect(path: SocketPath, options?: ConnectOptions): Promise<SeqpacketSocket> {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const socket = new SeqpacketSocket();
  return socket.connect(path, options).then(
    () => withMode(socket, mode),
    (error) => {
      socket.close();
      throw error;
    },
  );
}

/**
 * Two sockets that are connected with each other.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function pair(options?: PairOptions): [SeqpacketSocket, SeqpacketSocket] {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const [left, right] = SeqpacketSocket.pair();
  return [withMode(left, mode), withMode(right, mode)];
}

export function withMode(socket: SeqpacketSocket, mode: EmptyMessages): SeqpacketSocket {
  if (mode !== 'eof') socket.setOption('emptyMessages', mode);
  return socket;
}
