/** The type of a descriptor's file: fstat(2), socket(7). */
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
 * The type of a file, from `st_mode` of fstat(2).
 *
 * `'file'` is a regular file. `'fifo'` is a named or an unnamed pipe. `'symlink'` is a symbolic link that was
 * opened with O_PATH. `'unknown'` is a file without a type, such as a pidfd or an eventfd.
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

/** The address family of a socket. A number is any AF_… constant of Linux. */
export type SocketFamily = 'unix' | 'inet' | 'inet6' | number;

/** The type of a socket. A number is any SOCK_… constant of Linux. */
export type SocketType = 'stream' | 'datagram' | 'seqpacket' | number;

const FAMILIES = { unix: AF_UNIX, inet: AF_INET, inet6: AF_INET6 } as const;
const TYPES = { stream: SOCK_STREAM, datagram: SOCK_DGRAM, seqpacket: SOCK_SEQPACKET } as const;

/** @throws `EBADF` if the descriptor is not open */
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

/**
 * Whether a descriptor is a socket, of the given family and type.
 *
 * @throws `EBADF` if the descriptor is not open
 */
export function isSocketOf(fd: number, family?: SocketFamily, type?: SocketType): boolean {
  const expected = [checkConstant(family, 'family', FAMILIES), checkConstant(type, 'type', TYPES)];
  const actual = [SO_DOMAIN, SO_TYPE].map((name) => socketConstant(fd, name));
  if (actual.includes(undefined)) return false;
  return expected.every((number, index) => number === undefined || number === actual[index]);
}

function checkConstant<Name extends string>(
  value: Name | number | undefined,
  name: string,
  numbers: Readonly<Record<Name, number>>,
): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return checkInteger(value, name);
  return numbers[checkOneOf(value, name, Object.keys(numbers) as Name[])];
}

/** The value of an option; undefined if the descriptor is not a socket. */
function socketConstant(fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  const result = os.getsockopt(fd, SOL_SOCKET, name, value);
  if (result === -ENOTSOCK || (result === -EBADF && isOpen(fd))) return undefined;
  if (result < 0) throw systemError('getsockopt', result);
  return value[0];
}

/** Whether the number is open. Most system calls fail with EBADF for a descriptor opened with O_PATH (open(2)). */
function isOpen(fd: number): boolean {
  return os.fcntl(fd, F_GETFD, 0) >= 0;
}
