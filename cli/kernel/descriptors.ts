/** Describes open descriptors: /proc/self/fd, /proc/self/fdinfo, fstat(2). */
import { fstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { reasonOf } from '../process/failure.js';
import { inetSockets } from './proc-net-inet.js';
import { SOCK_TYPES, type UnixSocket, unixSockets } from './proc-net-unix.js';

export interface Description {
  /** `'file'`, `'directory'`, `'pipe'`, `'socket'`, `'character device'`, `'memfd'`, `'eventfd'`, … */
  kind: string;
  /** The path; of a socket, the protocol and addresses; otherwise an identification, or `''`. */
  target: string;
  access: 'read-only' | 'write-only' | 'read-write' | 'path only' | 'unknown';
  /** Bytes; of files only. */
  size?: number;
  /** The permissions in octal, such as `644`; of everything that has a path. */
  mode?: string;
}

const NONE: Description[] = [];
const O_PATH = 0o10000000;
const ACCESS = ['read-only', 'write-only', 'read-write'] as const;

/** Describes the descriptors of one message. */
export function describeDescriptors(fds: readonly { fd: number }[]): Description[] {
  if (fds.length === 0) return NONE;
  const sockets = new SocketTable();
  return fds.map(({ fd }) => describe(fd, sockets));
}

/** Does not fail: an error, such as EMFILE or a missing /proc, becomes the description. */
function describe(fd: number, sockets: SocketTable): Description {
  try {
    return inspect(fd, sockets);
  } catch (error) {
    return { kind: 'descriptor', target: `(${reasonOf(error)})`, access: 'unknown' };
  }
}

function inspect(fd: number, sockets: SocketTable): Description {
  const link = readlinkSync(`/proc/self/fd/${fd}`);
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8);
  const access = (flags & O_PATH) !== 0 ? 'path only' : (ACCESS[flags & 3] ?? 'read-write');
  const anonymous = /^anon_inode:\[?(.*?)\]?$/.exec(link)?.[1];
  const pid = /^Pid:\s*(-?\d+)/m.exec(info)?.[1];
  if (pid !== undefined) return { kind: 'pidfd', target: `of process ${pid}`, access };
  if (anonymous !== undefined) return { kind: anonymous, target: '', access };
  if (link.startsWith('pipe:')) return { kind: 'pipe', target: link.slice('pipe:'.length), access };
  const stats = fstatSync(fd);
  if (link.startsWith('socket:')) return { kind: 'socket', target: sockets.find(stats.ino), access };
  const memory = /^\/memfd:(.*?)(?: \(deleted\))?$/.exec(link)?.[1];
  if (memory !== undefined) return { kind: 'memfd', target: memory, access, size: stats.size };
  const kind = kindOf(stats);
  const mode = (stats.mode & 0o7777).toString(8).padStart(3, '0');
  return { kind, target: link, access, ...(kind === 'file' ? { size: stats.size } : {}), mode };
}

/** The kind of a file. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isCharacterDevice()) return 'character device';
  if (stats.isBlockDevice()) return 'block device';
  if (stats.isFIFO()) return 'named pipe';
  if (stats.isSocket()) return 'socket file';
  if (stats.isSymbolicLink()) return 'symbolic link';
  return 'descriptor';
}

/** Describes sockets by inode. The kernel's tables can be long, so they are read once, at the first socket. */
class SocketTable {
  #inet: Map<number, string> | undefined;
  #unix: Map<number, UnixSocket> | undefined;

  find(inode: number): string {
    this.#inet ??= inetSockets();
    this.#unix ??= new Map(unixSockets().map((socket) => [socket.inode, socket]));
    const local = this.#unix.get(inode);
    if (local === undefined) return this.#inet.get(inode) ?? `[${inode}]`;
    const state = local.state === 'listening' ? ' (listening)' : '';
    return `unix ${SOCK_TYPES[local.type] ?? local.type} ${local.address || `[${inode}]`}${state}`;
  }
}

/** `file /etc/hosts (read-only, 221 bytes)` */
export function formatDescription({ kind, target, access, size }: Description): string {
  const details = size === undefined ? access : `${access}, ${size} bytes`;
  return `${target === '' ? kind : `${kind} ${target}`} (${details})`;
}

/** `file /etc/hosts (read-only, 221 bytes, mode 644)` */
export function formatWholeDescription(description: Description): string {
  const text = formatDescription(description);
  return description.mode === undefined ? text : `${text.slice(0, -1)}, mode ${description.mode})`;
}

/** The kinds whose names contain spaces. */
const LONG_KINDS = /^(?:(?:character|block) device|named pipe|socket file|symbolic link|\S+)/;
const DETAILS =
  / \((read-only|write-only|read-write|path only|unknown)(?:, (\d+) bytes)?(?:, mode (\d+))?\)$/;

/** The inverse of `formatWholeDescription`. */
export function parseDescription(text: string): Description {
  const details = DETAILS.exec(text);
  const [whole = text, access = 'unknown', size, mode] = details ?? [];
  const named = details === null ? text : text.slice(0, -whole.length);
  const kind = LONG_KINDS.exec(named)?.[0] ?? 'descriptor';
  return {
    kind,
    target: named.slice(kind.length + 1),
    access: access as Description['access'],
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(mode === undefined ? {} : { mode }),
  };
}
