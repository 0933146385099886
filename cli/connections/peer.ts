/** The process at the other end of a connection. */
import type { SeqpacketSocket } from 'seqpacket';
import { codeOf } from '../process/failure.js';

export interface Peer {
  pid: number;
  uid: number;
  gid: number;
}

/** The peer's credentials, from the kernel; undefined if it has disconnected already. */
export function peerOf(socket: SeqpacketSocket): Peer | undefined {
  try {
    const { pid, uid, gid } = socket.getOption('remoteCredentials');
    return { pid, uid, gid };
  } catch (error) {
    if (codeOf(error) !== 'ENOTCONN') throw error;
    return undefined;
  }
}

export function formatPeer(peer: Peer | undefined): string {
  return peer === undefined ? 'unknown' : `pid ${peer.pid}, uid ${peer.uid}`;
}
