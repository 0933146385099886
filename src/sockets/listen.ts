import { type AllowedPeers, checkAllowedPeers } from '../accepting/admission';
import { parseAddress, type SocketPath } from '../addresses/address';
import { checkBoolean, checkInteger, checkOptions } from '../arguments';
import { invalidValue } from '../errors';
import { type EmptyMessages, emptyMessagesOption } from '../messages/empty-messages';
import { DEFAULT_BACKLOG, listeningAcceptor, type SeqpacketAcceptor } from './acceptor';

export interface ListenOptions {
  /** The maximum number of connections that wait to be accepted: 511 by default, and at most net.core.somaxconn. */
  backlog?: number | undefined;
  /**
   * The permissions of the socket file, for example `0o660`, independent of the umask and of the default ACL of the
   * directory. The file never has other permissions. By default, the umask and the ACL determine them, as for any file.
   */
  mode?: number | undefined;
  /** How accepted sockets report zero-length messages: `'eof'` (default) or `'deliver'`. */
  emptyMessages?: EmptyMessages | undefined;
  /**
   * The peers to admit, by credentials verified by the kernel (SO_PEERCRED in unix(7)). A peer is admitted if its uid
   * is in `uids`, or if its gid or one of its supplementary groups is in `gids`. Other connections are closed before
   * `accept` returns them. By default, every peer is admitted; `{}` admits none. In a user namespace, the overflow id
   * (usually 65534) is rejected as an argument, because it stands for all unmapped ids.
   */
  allow?: AllowedPeers | undefined;
  /**
   * The maximum number of accepted sockets that are open at the same time; unlimited by default. Further connections
   * are closed before `accept` returns them. A socket counts until it is closed, released or garbage-collected.
   */
  maxConnections?: number | undefined;
  /** Whether to replace the socket file of a dead server; `true` by default. */
  reclaim?: boolean | undefined;
}

/**
 * Listens at a name: creates a socket, binds it and listens (socket(2), bind(2), listen(2)). The caller must close the
 * acceptor.
 *
 * The socket file of a dead server is reclaimed: it is removed only if it is a socket file and no socket is bound to
 * it, listening or not. `close()` removes the acceptor's file if the path still refers to it.
 *
 * If the umask or a default ACL would change the `mode`, the file is created in a private directory beside the path and
 * then linked to the path. ss(8), and getpeername(2) of clients in other languages, then show the path in that
 * directory.
 *
 * Each connection that `allow` or `maxConnections` refuses is counted (`acceptor.counters.refused`). It is published on
 * the channel `seqpacket:refuse` of `node:diagnostics_channel`, as a `Refusal`.
 *
 * @throws `EADDRINUSE` if a socket is bound to the name, if the file is not a socket, or if it must not be removed;
 *   `EMFILE`, also if no descriptor is free to examine the file; `EACCES`, `ENOENT`, …
 */
export function listen(path: SocketPath, options?: ListenOptions): SeqpacketAcceptor {
  const address = parseAddress(path);
  const { backlog, mode, emptyMessages, reclaim, allow, maxConnections } = checkOptions(options);
  if (mode !== undefined) {
    checkInteger(mode, 'options.mode', 0, 0o7777);
    if (address.isAbstract)
      throw invalidValue('options.mode', 'applies to socket files, not to abstract names', mode);
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
