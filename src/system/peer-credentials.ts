/** Credentials of the process at the other end of a connection. */
import { systemError } from '../errors';
import { ENOTCONN, SO_PEERCRED, SO_PEERGROUPS } from './linux';
import { getSocketOption, getVariableOption } from './socket-options';

/** The credentials of a process, verified by the kernel (SO_PEERCRED and SCM_CREDENTIALS in unix(7)). */
export interface Credentials {
  pid: number;
  uid: number;
  gid: number;
}

/** The credentials of the peer at the time of its connect (SO_PEERCRED in unix(7)). */
export interface PeerCredentials {
  /** As seen from this process's pid namespace; 0 if the peer is not in it. */
  pid: number;
  uid: number;
  gid: number;
  /** The supplementary groups (SO_PEERGROUPS). */
  groups: number[];
}

/** What the kernel has for the user of a socket that has no peer. */
const NOBODY = -1;

/** The process at the other end (SO_PEERCRED). */
export function peerCredentials(fd: number): Credentials {
  const credentials = new Int32Array(3);
  getSocketOption(fd, SO_PEERCRED, credentials);
  const [pid, uid, gid] = credentials as unknown as [number, number, number];
  if (uid === NOBODY) throw systemError('getsockopt', -ENOTCONN);
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** Its supplementary groups (SO_PEERGROUPS). */
export function peerGroups(fd: number): number[] {
  const value = getVariableOption(fd, SO_PEERGROUPS);
  return Array.from({ length: value.length / 4 }, (_, index) => value.readUInt32LE(4 * index));
}
