import { type AllowedPeers, checkAllowedPeers } from '../accepting/admission';
import { parseAddress, type SocketPath } from '../addresses/address';
import { checkBoolean, checkInteger, checkOptions } from '../arguments';
import { invalidValue } from '../errors';
import { type EmptyMessages, emptyMessagesOption } from '../messages/empty-messages';
import { DEFAULT_BACKLOG, listeningAcceptor, type SeqpacketAcceptor } from './acceptor';

export interface ListenOptions {
  /** How many connections may wait to be accepted: 511 by default, net.core.somaxconn at most. */
  backlog?: number | undefined;
  /**
   * The permissions of the socket file, for example `0o660`, whatever the umask and the default ACL of the
   * directory are; the file never has others. Without this they decide, as for any file.
   */
  mode?: number | undefined;
  /** What an empty message is on the sockets that are accepted; `'eof'` by default. */
  emptyMessages?: EmptyMessages | undefined;
  /**
   * Which peers to admit: those with one of the `uids`, or with one of the `gids` as its group or a supplementary
   * group, by the kernel's word. Others are closed before the application sees them. Everybody by default;
   * `{}` admits none. In a user namespace the number that stands for all unmapped ids (65534) is refused.
   */
  allow?: AllowedPeers | undefined;
  /**
   * How many of the sockets that were accepted may be open at once; any number by default. Connections beyond them
   * are closed before the application sees them. A socket counts until it is closed, released or collected.
   */
  maxConnections?: number | undefined;
  /** Whether to take the place of a socket file that a dead server left behind; `true` by default. */
  reclaim?: boolean | undefined;
}

/**
 * Listens at a name: opens a socket, binds it, listens.
 *
 * A socket file that a dead server left behind is reclaimed: only a socket, and only if no socket is bound to
 * it any more, listening or not. `close()` removes the file if it is still the acceptor's own.
 *
 * With a `mode` that the umask or a default ACL would cut, the file is made in a private directory beside it and
 * then linked to its own name; the kernel, and so ss(8) and `getpeername` of clients in other languages, shows
 * where it was made.
 *
 * Each connection that `allow` or `maxConnections` refuses is counted (`acceptor.counters.refused`) and published on
 * the channel `seqpacket:refuse` of `node:diagnostics_channel`, as a `Refusal`.
 *
 * @throws `EADDRINUSE` if a socket is bound there, if the file is no socket, or if it may not be removed;
 *   `EMFILE` also if there are no descriptors left to find that out; `EACCES`, `ENOENT`, …
 */
export function listen(path: SocketPath, options?: ListenOptions): SeqpacketAcceptor {
  const address = parseAddress(path);
  const { backlog, mode, emptyMessages, reclaim, allow, maxConnections } = checkOptions(options);
  if (mode !== undefined) {
    checkInteger(mode, 'options.mode', 0, 0o7777);
    if (address.isAbstract)
      throw invalidValue('options.mode', 'is for socket files, not for abstract names', mode);
  }
  return listeningAcceptor(address, {
    backlog: backlog === undefined ? DEFAULT_BACKLOG : checkInteger(backlog, 'options.backlog'),
    mode,
    allow: allow === undefined ? undefined : checkAllowedPeers(allow, 'options.allow'),
    maxConnections:
      maxConnections === undefined ? undefined : checkInteger(maxConnections, 'options.maxConnections', 1),
    emptyMessages: emptyMessagesOption(emptyMessages),
    reclaim: reclaim === undefined ? true : checkBoolean(reclaim, 'options.reclaim'),
  });
}
