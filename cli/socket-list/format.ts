/** The list of sockets as a table and as JSON. */
import { paint, printable } from '../process/terminal.js';
import type { Entry, SocketList } from './socket-list.js';

const COLUMNS = ['STATE', 'RECV-Q', 'SEND-Q', 'INODE', 'PEER', 'ADDRESS', 'PROCESSES'];
const RIGHT_ALIGNED = new Set(['RECV-Q', 'SEND-Q', 'INODE', 'PEER']);

export function formatTable({ entries, hidden }: SocketList): string {
  if (entries.length === 0) return 'no SEQPACKET sockets\n';
  const rows = entries.map((entry) => {
    const { diagnostics } = entry;
    return [
      entry.state,
      diagnostics === undefined ? '-' : String(diagnostics.receiveQueue),
      diagnostics === undefined ? '-' : String(diagnostics.sendQueue),
      entry.inode === 0 ? '-' : String(entry.inode),
      diagnostics === undefined || diagnostics.peerInode === 0 ? '-' : String(diagnostics.peerInode),
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
        RIGHT_ALIGNED.has(COLUMNS[index]!) ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
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
  if (processes.length === 0) return inode === 0 ? 'none yet' : hidden > 0 ? '?' : 'none (in flight?)';
  return processes
    .map(({ command, pid, fds }) => `${printable(command)}[${pid}] fd ${fds.join(',')}`)
    .join('; ');
}

/** @param isLine without line breaks */
export function formatJson(entries: readonly Entry[], isLine: boolean): string {
  const list = entries.map(({ diagnostics, ...entry }) => ({
    state: entry.state,
    address: entry.address,
    inode: entry.inode,
    flags: entry.flags,
    references: entry.references,
    receiveQueue: diagnostics?.receiveQueue ?? null,
    sendQueue: diagnostics?.sendQueue ?? null,
    peerInode: diagnostics?.peerInode ?? null,
    peerAddress: entry.peerAddress,
    processes: entry.processes,
    peerProcesses: entry.peerProcesses,
  }));
  return `${JSON.stringify(list, null, isLine ? 0 : 2)}\n`;
}
