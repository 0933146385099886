/** /proc/net/unix: the AF_UNIX sockets of this network namespace (proc(5)). */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export const SOCK_TYPES: Record<string, string> = {
  '0001': 'stream',
  '0002': 'dgram',
  '0005': 'seqpacket',
};

export interface UnixSocket {
  /** `'0005'` is SOCK_SEQPACKET. */
  type: string;
  /** 0 for a connection that is to be accepted. */
  inode: number;
  state: 'listening' | 'connected' | 'unconnected' | 'to be accepted' | 'disconnecting';
  references: number;
  flags: string;
  /** `@` for each NUL; `''` for an unnamed socket. */
  address: string;
}

const LINE =
  /^[0-9a-fA-F]+: ([0-9A-F]{8}) [0-9A-F]{8} ([0-9A-F]{8}) ([0-9A-F]{4}) ([0-9A-F]{2}) +(\d+)(?: (.*))?$/s;
const ACCEPTS_CONNECTIONS = 0x10000;

const STATES: Record<string, UnixSocket['state']> = {
  '01': 'unconnected',
  '02': 'to be accepted',
  '03': 'connected',
  '04': 'disconnecting',
};

const TABLE = '/proc/net/unix';

export function unixSockets(): UnixSocket[] {
  return parseTable(readFileSync(TABLE, 'utf8'));
}

/** The same, without blocking the thread. */
export async function unixSocketsLater(): Promise<UnixSocket[]> {
  return parseTable(await readFile(TABLE, 'utf8'));
}

function parseTable(text: string): UnixSocket[] {
  const sockets: UnixSocket[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    // The heading, or the continuation of a name that contains a line feed.
    if (match === null) continue;
    const [, references, flags, type, state, inode, address = ''] = match as unknown as string[];
    sockets.push({
      type: type!,
      inode: Number(inode),
      state:
        (Number.parseInt(flags!, 16) & ACCEPTS_CONNECTIONS) !== 0
          ? 'listening'
          : (STATES[state!] ?? 'unconnected'),
      references: Number.parseInt(references!, 16),
      flags: flags!,
      address: address!,
    });
  }
  return sockets;
}
