/** Combines the data of the kernel about SEQPACKET sockets into one list. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { kindOf } from '../kernel/descriptors.js';
import { SOCK_TYPES, type UnixSocket, unixSockets } from '../kernel/proc-net-unix.js';
import { type Diagnostics, queryDiagnostics } from '../kernel/sock-diag.js';
import { findSocketHolders, type Holder } from '../kernel/socket-holders.js';

/** Without either, all sockets. */
export interface Filter {
  listening?: boolean | undefined;
  connected?: boolean | undefined;
}

export interface Entry extends UnixSocket {
  /** Undefined if `ss` is not installed or did not list the socket. */
  diagnostics: Diagnostics | undefined;
  /** `''` for a peer without an address. */
  peerAddress: string;
  processes: Holder[];
  peerProcesses: Holder[];
}

export interface SocketList {
  entries: Entry[];
  hasDiagnostics: boolean;
  /** The number of processes that could not be examined. */
  hidden: number;
}

const SEQPACKET = '0005';

/** Lists the SEQPACKET sockets that an address and a filter select. */
export function listSockets(address: string | undefined, { listening, connected }: Filter): SocketList {
  const sockets = unixSockets().filter(({ type }) => type === SEQPACKET);
  const diagnosticsByInode =
    sockets.length === 0 ? new Map<number, Diagnostics>() : queryDiagnostics(sockets);
  const { byInode, hidden } = findSocketHolders();
  // A connection that is to be accepted has no inode yet.
  const socketByInode = new Map(
    sockets.filter(({ inode }) => inode !== 0).map((socket) => [socket.inode, socket]),
  );
  const entries = sockets.map((socket): Entry => {
    const diagnostics = diagnosticsByInode?.get(socket.inode);
    const peerInode = diagnostics?.peerInode ?? 0;
    return {
      ...socket,
      diagnostics,
      peerAddress: socketByInode.get(peerInode)?.address ?? '',
      processes: byInode.get(socket.inode) ?? [],
      peerProcesses: byInode.get(peerInode) ?? [],
    };
  });
  const wanted = entries.filter((entry) => {
    if (address !== undefined && !matches(entry, address, diagnosticsByInode)) return false;
    if (!listening && !connected) return true;
    return (listening && entry.state === 'listening') || (connected && entry.state === 'connected');
  });
  wanted.sort(compare);
  return { entries: wanted, hasDiagnostics: diagnosticsByInode !== undefined, hidden };
}

/** By address: the listening socket, then its connections, then their clients. */
function compare(a: Entry, b: Entry): number {
  const name = ({ address, peerAddress }: Entry) => address || peerAddress;
  if (name(a) !== name(b)) {
    if (name(a) === '') return 1;
    if (name(b) === '') return -1;
    return name(a) < name(b) ? -1 : 1;
  }
  const rank = ({ state, address }: Entry) => (state === 'listening' ? 0 : address === '' ? 2 : 1);
  return rank(a) - rank(b) || a.inode - b.inode;
}

/** Whether the socket or its peer has the address, literally or by the inode of its socket file. */
function matches(
  entry: Entry,
  address: string,
  diagnosticsByInode: Map<number, Diagnostics> | undefined,
): boolean {
  const names = address.startsWith('@') ? [address] : [address, resolve(address)];
  if (names.includes(entry.address) || names.includes(entry.peerAddress)) return true;
  if (address.startsWith('@')) return false;
  const file = fileOf(address);
  if (file === undefined) return false;
  const peer =
    entry.diagnostics === undefined ? undefined : diagnosticsByInode?.get(entry.diagnostics.peerInode);
  return entry.diagnostics?.file === file || peer?.file === file;
}

/** In the form of `Diagnostics.file`: ss decodes the kernel's device number like one of user space (makedev(3)). */
function fileOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const major = (stats.dev >>> 8) & 0xfff;
  const minor = (stats.dev & 0xff) | ((stats.dev >>> 12) & 0xfff00);
  const device = ((major << 20) | minor) >>> 0;
  return `${(device >>> 8) & 0xfff}:${(device & 0xff) | ((device >>> 12) & 0xfff00)}:${stats.ino}`;
}

/** An error message with the reason that no socket has the address. */
export function explainNothing(address: string): string {
  const other = unixSockets().find((socket) => socket.address === address && socket.type !== SEQPACKET);
  if (other !== undefined) {
    return `${address} is a ${SOCK_TYPES[other.type] ?? 'different'} socket: see "ss -xap src ${address}"`;
  }
  const stats = address.startsWith('@') ? undefined : statSync(address, { throwIfNoEntry: false });
  if (stats === undefined) return `no SEQPACKET socket has the address ${address}: "seqpacket ls" shows all`;
  return stats.isSocket()
    ? `no process holds ${address}: it was closed, or belongs to another network namespace`
    : `${address} is not a socket, but a ${kindOf(stats)}`;
}
