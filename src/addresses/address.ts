/** Names of sockets, and sockaddr_un (unix(7)). */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, linkSync, lstatSync, openSync, readlinkSync, unlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { invalidType, invalidValue, outOfRange } from '../errors';
import { AF_UNIX, EADDRINUSE, EEXIST, O_PATH, UNIX_PATH_MAX } from '../system/linux';

/**
 * The name of a socket: a path, or a name in Linux's abstract namespace, which begins with NUL and is
 * exactly as long as it is given (107 bytes after the NUL at most). Any bytes may follow, NUL too: C programs
 * that bind `sizeof(struct sockaddr_un)` have a name of 108 bytes, filled up with NULs. Names that are not UTF-8
 * are given as `Buffer`.
 */
export type SocketPath = string | Uint8Array | URL;

/** A checked name. */
export interface Address {
  /** As it was given; a URL as its path, bytes as text where they are UTF-8. */
  readonly given: string | Buffer;
  readonly bytes: Buffer;
  readonly isAbstract: boolean;
}

const NUL = 0;
const SLASH = 0x2f;
const FAMILY_BYTES = 2;

export function parseAddress(path: SocketPath, name = 'path'): Address {
  const bytes = Buffer.from(pathBytes(path, name));
  if (bytes.length === 0) throw invalidValue(name, 'must not be empty', path);
  const isAbstract = bytes[0] === NUL;
  if (!isAbstract && bytes.includes(NUL)) {
    throw invalidValue(
      name,
      'must not contain a NUL byte, unless it begins with one (an abstract name)',
      path,
    );
  }
  if (isAbstract && bytes.length > UNIX_PATH_MAX) {
    throw outOfRange(
      `${name}.length`,
      `<= ${UNIX_PATH_MAX - 1} bytes after the NUL of an abstract name`,
      path,
    );
  }
  return { given: textOrBytes(bytes), bytes, isAbstract };
}

/**
 * Returns a function for the name that leads there later: a relative path becomes an absolute one once the working
 * directory has changed. Not before: a process that has dropped its rights may not be able to reach its own directory.
 */
export function resolveLater(address: Address): () => Address {
  const { bytes, isAbstract } = address;
  if (isAbstract || bytes[0] === SLASH) return () => address;
  const here = process.cwd();
  const absolute = { ...address, bytes: Buffer.concat([workingDirectory(), Buffer.from('/'), bytes]) };
  return () => (process.cwd() === here ? address : absolute);
}

function workingDirectory(): Buffer {
  try {
    // `process.cwd()` is text also where the name of the directory is not.
    return readlinkSync('/proc/self/cwd', { encoding: 'buffer' });
  } catch {
    // Forbidden by Node's or Deno's permissions.
    return Buffer.from(process.cwd());
  }
}

function pathBytes(path: SocketPath, name: string): Uint8Array {
  if (typeof path === 'string') return Buffer.from(path);
  if (types.isUint8Array(path)) return path;
  if (path instanceof URL) return Buffer.from(pathOfUrl(path, name));
  throw invalidType(name, 'of type string or an instance of Buffer or URL', path);
}

function pathOfUrl(url: URL, name: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw invalidValue(name, 'must be percent-encoded UTF-8; other names can be given as Buffer', url.href);
  }
}

/** Text where the bytes are UTF-8, which is what nearly all names are. */
function textOrBytes(bytes: Buffer): string | Buffer {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : bytes;
}

function encode(name: Uint8Array, terminated: boolean): Uint8Array {
  const sockaddr = new Uint8Array(FAMILY_BYTES + name.length + (terminated ? 1 : 0));
  sockaddr[0] = AF_UNIX;
  sockaddr.set(name, FAMILY_BYTES);
  return sockaddr;
}

/** A sockaddr of the family AF_UNSPEC, which dissolves an association in connect(2). */
export const UNSPECIFIED_ADDRESS: Uint8Array = new Uint8Array(FAMILY_BYTES + UNIX_PATH_MAX);

/** Room for what getsockname(2) and getpeername(2) write. */
export const addressBuffer: Buffer = Buffer.alloc(FAMILY_BYTES + UNIX_PATH_MAX + 1);

/** The name in a sockaddr of that length; `''` for an unnamed end. */
export function decodeAddress(sockaddr: Buffer, length: number): string | Buffer {
  let end = Math.min(length, sockaddr.length);
  if (end <= FAMILY_BYTES) return '';
  if (sockaddr[FAMILY_BYTES] !== NUL) {
    const terminator = sockaddr.indexOf(NUL, FAMILY_BYTES);
    if (terminator !== -1 && terminator < end) end = terminator;
  }
  return textOrBytes(Buffer.from(sockaddr.subarray(FAMILY_BYTES, end)));
}

/** The path of a file that is not named by the caller. */
export function fileAddress(path: Buffer): Address {
  return { given: path, bytes: path, isAbstract: false };
}

/** The sockaddr that leads to the file of a descriptor, also of one that was opened with O_PATH (proc(5)). */
export function descriptorAddress(fd: number): Uint8Array {
  return encode(Buffer.from(`/proc/self/fd/${fd}`), true);
}

function fits(address: Address): boolean {
  return address.isAbstract || address.bytes.length < UNIX_PATH_MAX;
}

const LONGEST_DIRECTORY = '/proc/self/fd/2147483647/';

/** Whether bind(2) can be called with the last component as it is, if need be through /proc/self/fd. */
export function hasShortName(address: Address): boolean {
  return fits(address) || isShort(nameOf(address.bytes));
}

/** Whether the name, in a directory that is named through /proc/self/fd, fits into a sockaddr. */
export function isShort(name: Buffer): boolean {
  return LONGEST_DIRECTORY.length + name.length < UNIX_PATH_MAX;
}

/** An error of `node:fs` carries the negative errno, which is what system calls here return; others are thrown. */
export function errnoOf(error: unknown): number {
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return errno;
}

type AddressCall = (sockaddr: Uint8Array) => number;

/**
 * Calls connect(2) with the address. A path that is too long for a sockaddr is opened with O_PATH and
 * named through /proc/self/fd (open(2)).
 */
export function connectTo(address: Address, call: AddressCall): number {
  if (fits(address)) return call(encode(address.bytes, !address.isAbstract));
  let file: number;
  try {
    file = openSync(address.bytes, O_PATH);
  } catch (error) {
    return errnoOf(error);
  }
  try {
    return call(descriptorAddress(file));
  } finally {
    closeSync(file);
  }
}

/**
 * Calls bind(2) with the address. Of a path that is too long for a sockaddr the directory is opened
 * with O_PATH and named through /proc/self/fd.
 */
export function bindTo(address: Address, call: AddressCall): number {
  if (fits(address)) return call(encode(address.bytes, !address.isAbstract));
  let directory: number;
  try {
    directory = openSync(directoryOf(address.bytes), O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    return errnoOf(error);
  }
  try {
    return bindInDirectory(`/proc/self/fd/${directory}/`, nameOf(address.bytes), call);
  } finally {
    closeSync(directory);
  }
}

/** The directory in which the path's last component is, with its slash. */
export function directoryOf(path: Buffer): Buffer {
  const slash = path.lastIndexOf(SLASH);
  return slash === -1 ? Buffer.from('./') : path.subarray(0, slash + 1);
}

/** The path's last component. */
export function nameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}

/** The path of another entry of the same directory. */
export function sibling(path: Buffer, name: string): Buffer {
  return Buffer.concat([directoryOf(path), Buffer.from(name)]);
}

/** A unique name that shows its origin. */
export function hiddenName(): string {
  return `.seqpacket-${randomBytes(9).toString('hex')}`;
}

function bindInDirectory(directory: string, name: Buffer, call: AddressCall): number {
  const path = Buffer.concat([Buffer.from(directory), name]);
  if (path.length < UNIX_PATH_MAX) return call(encode(path, true));
  // Bind to a short name and link the right one to the same file, which fails if that exists. Since a
  // socket is bound only once, what can be known to be in the way is looked for first.
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return -EADDRINUSE;
  } catch (error) {
    return errnoOf(error);
  }
  const temporary = Buffer.from(`${directory}${hiddenName()}`);
  const result = call(encode(temporary, true));
  if (result < 0) return result;
  try {
    linkSync(temporary, path);
  } catch (error) {
    const errno = errnoOf(error);
    return errno === -EEXIST ? -EADDRINUSE : errno;
  } finally {
    unlinkSync(temporary);
  }
  return result;
}
