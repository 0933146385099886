/** Socket addresses, and their encoding as sockaddr_un (unix(7)). */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, linkSync, lstatSync, openSync, readlinkSync, unlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { invalidType, invalidValue, outOfRange } from '../errors';
import { AF_UNIX, EADDRINUSE, EEXIST, O_PATH, UNIX_PATH_MAX } from '../system/linux';

/**
 * The name of a socket (unix(7)): a path, or a name in Linux's abstract namespace.
 *
 * An abstract name begins with NUL. At most 107 bytes follow, and they may include NUL. The name is used at exactly the
 * length that is passed. C programs that bind `sizeof(struct sockaddr_un)` have names of 108 bytes, padded with NULs.
 * A name that is not UTF-8 is passed as `Buffer`.
 */
export type SocketPath = string | Uint8Array | URL;

/** A validated socket name. */
export interface Address {
  /** The name as it was passed in. A URL is converted to its path, and bytes to text if they are UTF-8. */
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
 * Returns a function that returns the address for later use. After the working directory has changed, a relative path
 * is replaced by an absolute one. It is not replaced earlier, because a process that has dropped privileges may be
 * unable to reach its working directory by an absolute path.
 */
export function addressResolver(address: Address): () => Address {
  const { bytes, isAbstract } = address;
  if (isAbstract || bytes[0] === SLASH) return () => address;
  const here = process.cwd();
  const absolute = { ...address, bytes: Buffer.concat([workingDirectory(), Buffer.from('/'), bytes]) };
  return () => (process.cwd() === here ? address : absolute);
}

function workingDirectory(): Buffer {
  try {
    // `process.cwd()` returns text even if the directory's name is not UTF-8.
    return readlinkSync('/proc/self/cwd', { encoding: 'buffer' });
  } catch {
    // Denied by the permissions of Node.js or Deno.
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

/** Converts bytes to text if they are UTF-8, as nearly all names are. */
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

/** A sockaddr of the family AF_UNSPEC, by which connect(2) dissolves an association. */
export const UNSPECIFIED_ADDRESS: Uint8Array = new Uint8Array(FAMILY_BYTES + UNIX_PATH_MAX);

/** The buffer for the results of getsockname(2) and getpeername(2). */
export const addressBuffer: Buffer = Buffer.alloc(FAMILY_BYTES + UNIX_PATH_MAX + 1);

/** Decodes the name in a sockaddr of the given length, in bytes; `''` for an unnamed socket. */
export function decodeAddress(sockaddr: Buffer, length: number): string | Buffer {
  let end = Math.min(length, sockaddr.length);
  if (end <= FAMILY_BYTES) return '';
  if (sockaddr[FAMILY_BYTES] !== NUL) {
    const terminator = sockaddr.indexOf(NUL, FAMILY_BYTES);
    if (terminator !== -1 && terminator < end) end = terminator;
  }
  return textOrBytes(Buffer.from(sockaddr.subarray(FAMILY_BYTES, end)));
}

/** The address of a file whose path does not come from the caller. */
export function fileAddress(path: Buffer): Address {
  return { given: path, bytes: path, isAbstract: false };
}

/** The sockaddr of a descriptor's file (proc(5)). The descriptor may have been opened with O_PATH. */
export function descriptorAddress(fd: number): Uint8Array {
  return encode(Buffer.from(`/proc/self/fd/${fd}`), true);
}

function fits(address: Address): boolean {
  return address.isAbstract || address.bytes.length < UNIX_PATH_MAX;
}

const LONGEST_DIRECTORY = '/proc/self/fd/2147483647/';

/**
 * Whether bind(2) can create the file under its final name. A long directory is named through /proc/self/fd, so that
 * only the last component counts.
 */
export function canBindFinalName(address: Address): boolean {
  return fits(address) || nameFits(nameOf(address.bytes));
}

/** Whether a file name fits into a sockaddr if its directory is named through /proc/self/fd. */
export function nameFits(name: Buffer): boolean {
  return LONGEST_DIRECTORY.length + name.length < UNIX_PATH_MAX;
}

/** The negative errno of an error from `node:fs`. Any other error is thrown. */
export function errnoOf(error: unknown): number {
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return errno;
}

type AddressCall = (sockaddr: Uint8Array) => number;

/**
 * Calls connect(2) with the sockaddr of an address, and returns its result. A path that is too long for a sockaddr is
 * opened with O_PATH and named through /proc/self/fd (open(2)).
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
 * Calls bind(2) with the sockaddr of an address, and returns its result. If the path is too long for a sockaddr, its
 * directory is opened with O_PATH and named through /proc/self/fd.
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

/** The directory of the path's last component, with a trailing slash. */
export function directoryOf(path: Buffer): Buffer {
  const slash = path.lastIndexOf(SLASH);
  return slash === -1 ? Buffer.from('./') : path.subarray(0, slash + 1);
}

/** The path's last component. */
export function nameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}

/** The path of another entry of the same directory. */
export function siblingPath(path: Buffer, name: string): Buffer {
  return Buffer.concat([directoryOf(path), Buffer.from(name)]);
}

/** A unique name for a temporary file. Its prefix identifies the library. */
export function temporaryName(): string {
  return `.seqpacket-${randomBytes(9).toString('hex')}`;
}

function bindInDirectory(directory: string, name: Buffer, call: AddressCall): number {
  const path = Buffer.concat([Buffer.from(directory), name]);
  if (path.length < UNIX_PATH_MAX) return call(encode(path, true));
  // Bind to a short name, and link the file to its final name; link(2) fails if that name exists. A socket can be bound
  // only once, so an existing file is detected before the bind.
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return -EADDRINUSE;
  } catch (error) {
    return errnoOf(error);
  }
  const temporary = Buffer.from(`${directory}${temporaryName()}`);
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
