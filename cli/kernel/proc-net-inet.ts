/** /proc/net/tcp, tcp6, udp and udp6: the inet sockets of this network namespace (proc(5)). */
import { readFileSync } from 'node:fs';

const PROTOCOLS = ['tcp', 'tcp6', 'udp', 'udp6'];
const LISTENING = '0A';

/** Descriptions by inode, such as `TCP 127.0.0.1:80 - 127.0.0.1:40000`. */
export function inetSockets(): Map<number, string> {
  const sockets = new Map<number, string>();
  for (const protocol of PROTOCOLS) {
    const name = protocol.slice(0, 3).toUpperCase();
    for (const line of linesOf(protocol)) {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/) as string[];
      const peer = remote!.endsWith(':0000') ? '' : ` - ${endpoint(remote!)}`;
      const suffix = state === LISTENING && protocol.startsWith('tcp') ? ' (listening)' : peer;
      sockets.set(Number(inode), `${name} ${endpoint(local!)}${suffix}`);
    }
  }
  return sockets;
}

function linesOf(protocol: string): string[] {
  try {
    return readFileSync(`/proc/net/${protocol}`, 'utf8').split('\n').slice(1, -1);
  } catch {
    // A kernel without IPv6 has no such file.
    return [];
  }
}

/** Addresses are 32-bit words in the machine's byte order, ports are numbers; both in hex. */
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
