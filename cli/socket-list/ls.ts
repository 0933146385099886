/** `seqpacket ls` */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseAddress } from '../connections/address.js';
import { SOCK_TYPES, type UnixSocket, unixSockets } from '../kernel/proc-net-unix.js';
import { type Diagnosis, diagnose } from '../kernel/sock-diag.js';
import { type Holder, holders } from '../kernel/socket-holders.js';
import { Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { pause, stopped } from '../process/stopping.js';
import { paint, printable, tell } from '../process/terminal.js';

export interface LsOptions {
  listening?: boolean | undefined;
  connected?: boolean | undefined;
  json?: boolean | undefined;
  /** Seconds. */
  watch?: number | undefined;
}

interface Entry extends UnixSocket {
  diagnosis: Diagnosis | undefined;
  /** Of the peer, where it has a name. */
  peerAddress: string;
  processes: Holder[];
  peerProcesses: Holder[];
}

interface Survey {
  entries: Entry[];
  hasDiagnoses: boolean;
  hidden: number;
}

const SEQPACKET = '0005';

export async function runLs(address: string | undefined, options: LsOptions): Promise<number | undefined> {
  const { watch } = options;
  if (address !== undefined) parseAddress(address);
  for (let isFirst = true; ; isFirst = false) {
    const survey = surveyed(address, options);
    if (watch === undefined && address !== undefined && survey.entries.length === 0) {
      throw new Failure(nothingAt(address));
    }
    const text = options.json ? asJson(survey.entries, watch !== undefined) : asTable(survey);
    if (watch === undefined || options.json) stdout.write(text);
    else if (process.stdout.isTTY) stdout.write(`\x1b[H\x1b[2J\x1b[3J${heading(watch)}\n\n${text}`);
    else stdout.write(`${isFirst ? '' : '\n'}${heading(watch)}\n${text}`);
    if (isFirst || watch === undefined) tellWhatIsMissing(survey);
    await stdout.flushed();
    if (watch === undefined) return undefined;
    await pause(watch * 1000);
    if (stopped.aborted) return undefined;
  }
}

function heading(seconds: number): string {
  return paint('dim', `${new Date().toISOString()}, every ${seconds} s`);
}

function surveyed(address: string | undefined, { listening, connected }: LsOptions): Survey {
  const sockets = unixSockets().filter(({ type }) => type === SEQPACKET);
  const diagnoses = sockets.length === 0 ? new Map<number, Diagnosis>() : diagnose(sockets);
  const { byInode, hidden } = holders();
  // What waits to be accepted has no inode yet.
  const byNumber = new Map(
    sockets.filter(({ inode }) => inode !== 0).map((socket) => [socket.inode, socket]),
  );
  const entries = sockets.map((socket): Entry => {
    const diagnosis = diagnoses?.get(socket.inode);
    const peerInode = diagnosis?.peerInode ?? 0;
    return {
      ...socket,
      diagnosis,
      peerAddress: byNumber.get(peerInode)?.address ?? '',
      processes: byInode.get(socket.inode) ?? [],
      peerProcesses: byInode.get(peerInode) ?? [],
    };
  });
  const wanted = entries.filter((entry) => {
    if (address !== undefined && !isNamed(entry, address, diagnoses)) return false;
    if (!listening && !connected) return true;
    return (listening && entry.state === 'listening') || (connected && entry.state === 'connected');
  });
  wanted.sort(inOrder);
  return { entries: wanted, hasDiagnoses: diagnoses !== undefined, hidden };
}

/** Those of one address together: who listens first, then the clients. */
function inOrder(a: Entry, b: Entry): number {
  const name = ({ address, peerAddress }: Entry) => address || peerAddress;
  if (name(a) !== name(b)) {
    if (name(a) === '') return 1;
    if (name(b) === '') return -1;
    return name(a) < name(b) ? -1 : 1;
  }
  const rank = ({ state, address }: Entry) => (state === 'listening' ? 0 : address === '' ? 2 : 1);
  return rank(a) - rank(b) || a.inode - b.inode;
}

/** Whether it, or its peer, has the address: as it was bound, or by the socket file that the path leads to. */
function isNamed(entry: Entry, address: string, diagnoses: Map<number, Diagnosis> | undefined): boolean {
  const names = address.startsWith('@') ? [address] : [address, resolve(address)];
  if (names.includes(entry.address) || names.includes(entry.peerAddress)) return true;
  if (address.startsWith('@')) return false;
  const file = fileOf(address);
  if (file === undefined) return false;
  const peer = entry.diagnosis === undefined ? undefined : diagnoses?.get(entry.diagnosis.peerInode);
  return entry.diagnosis?.file === file || peer?.file === file;
}

/** As `Diagnosis.file`: ss takes the kernel's device number apart as if it were one of user space (makedev(3)). */
function fileOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const major = (stats.dev >>> 8) & 0xfff;
  const minor = (stats.dev & 0xff) | ((stats.dev >>> 12) & 0xfff00);
  const device = ((major << 20) | minor) >>> 0;
  return `${(device >>> 8) & 0xfff}:${(device & 0xff) | ((device >>> 12) & 0xfff00)}:${stats.ino}`;
}

function nothingAt(address: string): string {
  const other = unixSockets().find((socket) => socket.address === address && socket.type !== SEQPACKET);
  if (other !== undefined) {
    return `${address} is a ${SOCK_TYPES[other.type] ?? 'different'} socket: see "ss -xap src ${address}"`;
  }
  const exists = !address.startsWith('@') && statSync(address, { throwIfNoEntry: false }) !== undefined;
  return exists
    ? `nobody holds ${address}: what bound it is gone, or lives in another network namespace`
    : `no SEQPACKET socket is called ${address}: "seqpacket ls" shows all`;
}

function tellWhatIsMissing({ entries, hasDiagnoses, hidden }: Survey): void {
  if (entries.length === 0) return;
  if (!hasDiagnoses) {
    tell('"-": peers and queue lengths are told by ss, which is not installed (package iproute2)');
  }
  if (hidden > 0 && entries.some(({ processes, inode }) => processes.length === 0 && inode !== 0)) {
    const isRoot = process.getuid?.() === 0;
    const advice = isRoot ? 'even for root' : 'root may: sudo seqpacket ls';
    tell(`"?": ${hidden} of all processes could not be looked into, ${advice}`);
  }
}

const COLUMNS = ['STATE', 'RECV-Q', 'SEND-Q', 'INODE', 'PEER', 'ADDRESS', 'PROCESSES'];
const RIGHT = new Set(['RECV-Q', 'SEND-Q', 'INODE', 'PEER']);

function asTable({ entries, hidden }: Survey): string {
  if (entries.length === 0) return 'no SEQPACKET sockets\n';
  const rows = entries.map((entry) => {
    const { diagnosis } = entry;
    return [
      entry.state,
      diagnosis === undefined ? '-' : String(diagnosis.receiveQueue),
      diagnosis === undefined ? '-' : String(diagnosis.sendQueue),
      entry.inode === 0 ? '-' : String(entry.inode),
      diagnosis === undefined || diagnosis.peerInode === 0 ? '-' : String(diagnosis.peerInode),
      addressOf(entry),
      processesOf(entry, hidden),
    ];
  });
  const widths = COLUMNS.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]!.length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, index) =>
        RIGHT.has(COLUMNS[index]!) ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
      )
      .join('  ')
      .trimEnd();
  const body = rows.map((row) => (row[0] === 'listening' ? paint('green', line(row)) : line(row)));
  return [paint('bold', line(COLUMNS)), ...body, ''].join('\n');
}

function addressOf({ address, peerAddress }: Entry): string {
  if (address !== '') return printable(address);
  return peerAddress === '' ? '(unnamed)' : `-> ${printable(peerAddress)}`;
}

function processesOf({ processes, inode }: Entry, hidden: number): string {
  if (processes.length === 0) return inode === 0 ? 'nobody yet' : hidden > 0 ? '?' : 'nobody (in flight?)';
  return processes
    .map(({ command, pid, fds }) => `${printable(command)}[${pid}] fd ${fds.join(',')}`)
    .join('; ');
}

function asJson(entries: readonly Entry[], isLine: boolean): string {
  const list = entries.map(({ diagnosis, ...entry }) => ({
    state: entry.state,
    address: entry.address,
    inode: entry.inode,
    flags: entry.flags,
    references: entry.references,
    receiveQueue: diagnosis?.receiveQueue ?? null,
    sendQueue: diagnosis?.sendQueue ?? null,
    peerInode: diagnosis?.peerInode ?? null,
    peerAddress: entry.peerAddress,
    processes: entry.processes,
    peerProcesses: entry.peerProcesses,
  }));
  return `${JSON.stringify(list, null, isLine ? 0 : 2)}\n`;
}
