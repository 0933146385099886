/** What kind of file a descriptor is of: fstat(2), socket(7). */
import { fstatSync, type Stats } from 'node:fs';
import { checkInteger, checkOneOf } from '../arguments';
import { systemError } from '../errors';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  EBADF,
  ENOTSOCK,
  F_GETFD,
  SO_DOMAIN,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../system/linux';
import { os } from '../system/os';

/**
 * `'file'` is a regular file, `'fifo'` a pipe with or without a name, `'symlink'` one that was opened with O_PATH.
 * `'unknown'` is what has no type in fstat(2), as pidfds and eventfds.
 */
export type FileType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'socket'
  | 'fifo'
  | 'characterDevice'
  | 'blockDevice'
  | 'unknown';

/** The family of a socket; as a number any AF_… of Linux. */
export type SocketFamily = 'unix' | 'inet' | 'inet6' | number;

/** The type of a socket; as a number any SOCK_… of Linux. */
export type SocketType = 'stream' | 'datagram' | 'seqpacket' | number;

const FAMILIES = { unix: AF_UNIX, inet: AF_INET, inet6: AF_INET6 } as const;
const TYPES = { stream: SOCK_STREAM, datagram: SOCK_DGRAM, seqpacket: SOCK_SEQPACKET } as const;

/** @throws `EBADF` if it is not open */
export function fileTypeOf(fd: number): FileType {
  const stats = statsOf(fd);
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSocket()) return 'socket';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'characterDevice';
  if (stats.isBlockDevice()) return 'blockDevice';
  return stats.isSymbolicLink() ? 'symlink' : 'unknown';
}

function statsOf(fd: number): Stats {
  if (fd === -1) throw systemError('fstat', -EBADF);
  try {
    return fstatSync(fd);
  } catch (error) {
    throw systemError('fstat', (error as NodeJS.ErrnoException).errno as number);
  }
}

/** @throws `EBADF` if it is not open */
export function isSocketOf(fd: number, family?: SocketFamily, type?: SocketType): boolean {
  const expected = [numberOf(family, 'family', FAMILIES), numberOf(type, 'type', TYPES)];
  const actual = [SO_DOMAIN, SO_TYPE].map((name) => socketNumber(fd, name));
  if (actual.includes(undefined)) return false;
  return expected.every((number, index) => number === undefined || number === actual[index]);
}

function numberOf<Name extends string>(
  value: Name | number | undefined,
  name: string,
  numbers: Readonly<Record<Name, number>>,
): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return checkInteger(value, name);
  return numbers[checkOneOf(value, name, Object.keys(numbers) as Name[])];
}

/** Undefined if it is no socket. */
function socketNumber(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  const result = os.getsockopt(fd, SOL_SOCKET, name, value);
  if (result === -ENOTSOCK || (result === -EBADF && isOpen(fd))) return undefined;
  if (result < 0) throw systemError('getsockopt', result);
  return value[0];
}

/** A descriptor that was opened with O_PATH is bad for every call but a few (open(2)). */
function isOpen(fd: number): boolean {
  return os.fcntl(fd, F_GETFD, 0) >= 0;
}
