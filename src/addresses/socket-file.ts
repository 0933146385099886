/**
 * The files of listening sockets: made with their mode, reclaimed from dead servers, removed by their own server.
 *
 * A socket is bound under its own name where that makes the file as it is to be, so that ss(8) and getpeername(2)
 * show that name. Otherwise it is bound in a private directory, gets its mode there, listens, and is then linked to
 * its name, which link(2) does only if the name is free.
 *
 * Either way the file appears under its name only if that is free, and is never dead while its socket lives, not even
 * before it listens (`reclaiming.ts`). So servers need no lock.
 */
import { chmodSync, linkSync, lstatSync } from 'node:fs';
import { systemError } from '../errors';
import { AF_UNIX, EADDRINUSE, EEXIST, SOCKET_TYPE } from '../system/linux';
import { os } from '../system/os';
import {
  type Address,
  bindTo,
  directoryOf,
  errnoOf,
  fileAddress,
  hasShortName,
  hiddenName,
  isShort,
  nameOf,
  resolveLater,
  sibling,
} from './address';
import { type FileIdentity, removeFile, unlinkIfThere } from './file-removal';
import { PrivateDirectory } from './private-directory';
import { reclaim } from './reclaiming';

export interface SocketFileOptions {
  /** The permissions of the file, exactly; without them the umask decides. */
  mode?: number | undefined;
  /** Whether to take the place of a file that a dead server left behind. */
  reclaim: boolean;
}

/** The file of a listening socket, which its server removes. */
export class SocketFile {
  readonly #address: () => Address;
  readonly #identity: FileIdentity;

  private constructor(address: () => Address, identity: FileIdentity) {
    this.#address = address;
    this.#identity = identity;
  }

  /**
   * Binds a socket to a path, makes it listen, and returns the file; throws bind(2)'s error.
   *
   * @param listen throws if it fails; there is no file then
   */
  static create(fd: number, address: Address, options: SocketFileOptions, listen: () => void): SocketFile {
    const later = resolveLater(address);
    const { mode } = options;
    if (isTaken(address)) vacate(address, options);
    if (mode !== undefined) check('fchmod', os.fchmod(fd, mode), address);
    const make = isMadeInPlace(address, mode) ? makeInPlace : makePrivately;
    return new SocketFile(later, make(fd, address, mode, listen));
  }

  /**
   * Removes the file, if what is there now is still that file. To be called while the socket is open:
   * as long as it is, no other file gets the number of its inode, and no other server takes it for dead.
   */
  remove(): void {
    const { bytes, given } = this.#address();
    try {
      removeFile(bytes, this.#identity);
    } catch (error) {
      throw systemError('unlink', errnoOf(error), given);
    }
  }
}

/** Throws, before anything has happened, what Node's or Deno's permissions have against looking at the file. */
function isTaken(address: Address): boolean {
  try {
    return lstatSync(address.bytes, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // The system's own errors are for bind(2) to report.
    errnoOf(error);
    return false;
  }
}

function vacate(address: Address, options: SocketFileOptions): void {
  const isFree = options.reclaim && asBind(address, () => reclaim(address.bytes));
  if (!isFree) throw systemError('bind', -EADDRINUSE, address.given);
}

/**
 * Whether bind(2) makes the file with exactly that mode. The kernel takes the mode of the socket, less the umask
 * (unix_bind_bsd in net/unix/af_unix.c), less what a default ACL of the directory lacks (acl(5)): another socket is
 * bound to a hidden name there.
 */
function isMadeInPlace(address: Address, mode: number | undefined): boolean {
  if (!hasShortName(address)) return false;
  if (mode === undefined) return true;
  const trial = os.socket(AF_UNIX, SOCKET_TYPE, 0);
  if (trial < 0) return false;
  try {
    const path = sibling(address.bytes, hiddenName());
    if (os.fchmod(trial, mode) < 0 || bindPath(trial, path) < 0) return false;
    try {
      return modeOf(path) === mode;
    } finally {
      unlinkIfThere(path);
    }
  } finally {
    os.close(trial);
  }
}

function makeInPlace(fd: number, address: Address, _mode: unknown, listen: () => void): FileIdentity {
  check('bind', bindPath(fd, address.bytes), address);
  const identity = asBind(address, () => lstatSync(address.bytes, { bigint: true }));
  try {
    listen();
  } catch (error) {
    removeFile(address.bytes, identity);
    throw error;
  }
  return identity;
}

/** The kernel knows the socket by its path in the private directory, of which the last component is its name. */
function makePrivately(
  fd: number,
  address: Address,
  mode: number | undefined,
  listen: () => void,
): FileIdentity {
  const directory = asBind(address, () => new PrivateDirectory(directoryOf(address.bytes)));
  try {
    const name = nameOf(address.bytes);
    const path = directory.entry(isShort(name) ? name : 'socket');
    check('bind', bindPath(fd, path), address);
    try {
      if (mode !== undefined && modeOf(path) !== mode) asBind(address, () => chmodSync(path, mode));
      listen();
      return asBind(address, () => {
        linkSync(path, address.bytes);
        return lstatSync(path, { bigint: true });
      });
    } finally {
      unlinkIfThere(path);
    }
  } finally {
    directory.remove();
  }
}

function bindPath(fd: number, path: Buffer): number {
  return bindTo(fileAddress(path), (sockaddr) => os.bind(fd, sockaddr));
}

function modeOf(path: Buffer): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : stats.mode & 0o7777;
}

function check(syscall: string, result: number, address: Address): void {
  if (result < 0) throw systemError(syscall, result, address.given);
}

/** Calls in place of a plain bind(2) fail with its errors. */
function asBind<T>(address: Address, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const errno = errnoOf(error);
    throw systemError('bind', errno === -EEXIST ? -EADDRINUSE : errno, address.given);
  }
}
