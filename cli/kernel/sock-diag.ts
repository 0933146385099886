/**
 * Data that only sock_diag(7) reports: peers, queue lengths, the device and inode of socket files. Node.js has no netlink
 * sockets, so ss(8) of iproute2 is run.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { codeOf, Failure, reasonOf } from '../process/failure.js';
import type { UnixSocket } from './proc-net-unix.js';

export interface Diagnostics {
  /** Bytes to be received; of a listening socket, connections to be accepted. */
  receiveQueue: number;
  /** Sent bytes that the peer has not received; of a listening socket, the backlog. */
  sendQueue: number;
  /** 0 without a peer. */
  peerInode: number;
  /** `MAJOR:MINOR:INODE` of the socket file. */
  file?: string;
}

const LINE = /^u_seq +(\S+) +(\d+) +(\d+) +(.*)$/;
const ARGUMENTS = ['-xaneHO'];
const OPTIONS = { encoding: 'utf8', maxBuffer: 64 * 1_048_576 } as const;

/**
 * By inode; undefined if ss is not installed.
 *
 * @throws {Failure} if ss fails
 */
export function queryDiagnostics(sockets: readonly UnixSocket[]): Map<number, Diagnostics> | undefined {
  const { stdout, error, status, stderr } = spawnSync('ss', ARGUMENTS, OPTIONS);
  if (error !== undefined && codeOf(error) === 'ENOENT') return undefined;
  if (error !== undefined || status !== 0) throw new Failure(`ss: ${reasonOf(error ?? stderr.trim())}`);
  return parseDiagnostics(stdout, sockets);
}

/** The same, without blocking the thread. */
export async function queryDiagnosticsLater(
  sockets: readonly UnixSocket[],
): Promise<Map<number, Diagnostics> | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ss', ARGUMENTS, OPTIONS);
    return parseDiagnostics(stdout, sockets);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Failure(`ss: ${reasonOf(error)}`);
  }
}

function parseDiagnostics(text: string, sockets: readonly UnixSocket[]): Map<number, Diagnostics> {
  const addresses = new Map(sockets.map(({ inode, address }) => [inode, address]));
  const diagnosticsByInode = new Map<number, Diagnostics>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, , receiveQueue, sendQueue, rest] = match as unknown as [string, string, string, string, string];
    const names = splitNames(rest, addresses);
    if (names === undefined) continue;
    const file = / ino:(\d+) dev:(\d+)\/(\d+)/.exec(names.after);
    diagnosticsByInode.set(names.inode, {
      receiveQueue: Number(receiveQueue),
      sendQueue: Number(sendQueue),
      peerInode: names.peerInode,
      ...(file === null ? {} : { file: `${file[2]}:${file[3]}:${file[1]}` }),
    });
  }
  return diagnosticsByInode;
}

/** `NAME INODE PEER-NAME PEER-INODE …`. A name can contain spaces and numbers, so it is compared with the known names. */
function splitNames(text: string, addresses: ReadonlyMap<number, string>) {
  for (const match of text.matchAll(/ (\d+)(?= )/g)) {
    const inode = Number(match[1]);
    const address = addresses.get(inode);
    if (address === undefined || text.slice(0, match.index).trim() !== (address || '*')) continue;
    const rest = text.slice(match.index + match[0].length).trimStart();
    const peer = /^(.*?) (\d+)(?= |$)(.*)$/.exec(rest);
    if (peer !== null) return { inode, peerInode: Number(peer[2]), after: peer[3]! };
  }
  return undefined;
}
