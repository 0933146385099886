/** /proc/net/tcp and its like: what an inet socket is, by its inode (proc(5)). */
import { readFileSync } from 'node:fs';

const PROTOCOLS = ['tcp', 'tcp6', 'udp', 'udp6'];
const LISTENING = '0A';

/** For example `TCP 127.0.0.1:80 ← 127.0.0.1:40000`; undefined if it is none of these. */
export function inetSocket(inode: number): string | undefined {
  for (const protocol of PROTOCOLS) {
    for (const line of linesOf(protocol)) {
      const fields = line.trim().split(/\s+/);
      if (Number(fields[9]) !== inode) continue;
      const name = protocol.slice(0, 3).toUpperCase();
      const local = endpoint(fields[1]!);
      if (fields[3] === LISTENING) return `${name} ${local} (listening)`;
      return fields[2]!.endsWith(':0000') ? `${name} ${local}` : `${name} ${local} - ${endpoint(fields[2]!)}`;
    }
  }
  return undefined;
}

function linesOf(protocol: string): string[] {
  try {
    return readFileSync(`/proc/net/${protocol}`, 'utf8').split('\n').slice(1, -1);
  } catch {
    // A kernel without IPv6 has no such file.
    return [];
  }
}

/** Addresses are words of 32 bits in the machine's order, ports are numbers. */
function endpoint(text: string): string {
  const [address, port] = text.split(':') as [string, string];
  const words = address.match(/.{8}/g)!.map((word) => Buffer.from(word, 'hex').reverse());
  const bytes = Buffer.concat(words);
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return `${bytes.join('.')}:${number}`;
  const isMapped = bytes.subarray(0, 12).toString('hex') === '00000000000000000000ffff';
  if (isMapped) return `${bytes.subarray(12).join('.')}:${number}`;
  const groups = bytes
    .toString('hex')
    .match(/.{4}/g)!
    .map((group) => group.replace(/^0{1,3}/, ''));
  return `[${groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')}]:${number}`;
}
