/** The credentials of the peer of a connection. */
import { systemError } from '../errors';
import { ENOTCONN, SO_PEERCRED, SO_PEERGROUPS } from './linux';
import { getSocketOption, getVariableOption } from './socket-options';

/** The credentials of a process, verified by the kernel (SO_PEERCRED and SCM_CREDENTIALS in unix(7)). */
export interface Credentials {
  pid: number;
  uid: number;
  gid: number;
}

/** The credentials of the peer at the time of connect(2), verified by the kernel (SO_PEERCRED in unix(7)). */
export interface PeerCredentials {
  /** The process id in this process's pid namespace; 0 if the peer is outside that namespace. */
  pid: number;
  uid: number;
  gid: number;
  /** The supplementary groups (SO_PEERGROUPS). */
  groups: number[];
}

/** The uid that the kernel returns for a socket without a peer. */
const NO_UID = -1;

/**
 * The credentials of the peer (SO_PEERCRED).
 *
 * @throws `ENOTCONN` if the socket has no peer
 */
export function peerCredentials(fd: number): Credentials {
  const credentials = new Int32Array(3);
  getSocketOption(fd, SO_PEERCRED, credentials);
  const [pid, uid, gid] = credentials as unknown as [number, number, number];
  if (uid === NO_UID) throw systemError('getsockopt', -ENOTCONN);
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** The supplementary groups of the peer (SO_PEERGROUPS). */
export function peerGroups(fd: number): number[] {
  const value = getVariableOption(fd, SO_PEERGROUPS);
  return Array.from({ length: value.length / 4 }, (_, index) => value.readUInt32LE(4 * index));
}
