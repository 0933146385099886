/**
 * The files of listening sockets. Each file is created with its final mode, and removed by its own server.
 *
 * A socket is bound under its final name if bind(2) creates the file with the requested mode. ss(8) and getpeername(2)
 * then show that name. Otherwise the socket is bound in a private directory, where the file gets its mode. The socket
 * listens, and its file is then linked to the final name. link(2) fails if that name exists.
 *
 * In both cases the file appears only under a free name. It is never dead while its socket is open, not even before the
 * socket listens (`reclaiming.ts`). Servers therefore need no lock.
 */
import { chmodSync, linkSync, lstatSync } from 'node:fs';
import { systemError } from '../errors';
import { AF_UNIX, EADDRINUSE, EEXIST, SOCKET_TYPE } from '../system/linux';
import { os } from '../system/os';
import {
  type Address,
  addressResolver,
  bindTo,
  canBindFinalName,
  directoryOf,
  errnoOf,
  fileAddress,
  nameFits,
  nameOf,
  siblingPath,
  temporaryName,
} from './address';
import { type FileIdentity, removeFile, unlinkIfExists } from './file-removal';
import { PrivateDirectory } from './private-directory';
import { reclaim } from './reclaiming';

export interface SocketFileOptions {
  /** The exact permissions of the file. By default, the umask and the directory's default ACL determine them. */
  mode?: number | undefined;
  /** Whether to replace the file of a dead server. */
  reclaim: boolean;
}

/** The file of a listening socket. Its server removes it. */
export class SocketFile {
  readonly #resolveAddress: () => Address;
  readonly #identity: FileIdentity;

  private constructor(resolveAddress: () => Address, identity: FileIdentity) {
    this.#resolveAddress = resolveAddress;
    this.#identity = identity;
  }

  /**
   * Binds a socket to a path, makes it listen, and returns the file.
   *
   * @param listen makes the socket listen. If it throws, the file is removed
   * @throws the errors of bind(2)
   */
  static create(fd: number, address: Address, options: SocketFileOptions, listen: () => void): SocketFile {
    const resolveAddress = addressResolver(address);
    const { mode } = options;
    if (fileExists(address)) reclaimName(address, options);
    if (mode !== undefined) throwIfFailed('fchmod', os.fchmod(fd, mode), address);
    const create = canCreateInPlace(address, mode) ? createInPlace : createPrivately;
    return new SocketFile(resolveAddress, create(fd, address, mode, listen));
  }

  /**
   * Removes the file if the path still refers to it. Call this while the socket is open: until it is closed, no other
   * file gets the same inode number, and no other server considers the file dead.
   */
  remove(): void {
    const { bytes, given } = this.#resolveAddress();
    try {
      removeFile(bytes, this.#identity);
    } catch (error) {
      throw systemError('unlink', errnoOf(error), given);
    }
  }
}

/** Whether the file exists. Throws before the call has any effect if the permissions of Node.js or Deno deny access. */
function fileExists(address: Address): boolean {
  try {
    return lstatSync(address.bytes, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // bind(2) reports the errors of the system.
    errnoOf(error);
    return false;
  }
}

/** Reclaims the name from a dead server, or throws `EADDRINUSE`. */
function reclaimName(address: Address, options: SocketFileOptions): void {
  const isFree = options.reclaim && withBindErrors(address, () => reclaim(address.bytes));
  if (!isFree) throw systemError('bind', -EADDRINUSE, address.given);
}

/**
 * Whether bind(2) creates the file with exactly this mode. The kernel uses the mode of the socket, without the bits of
 * the umask (unix_bind_bsd in net/unix/af_unix.c) and the bits missing from the directory's default ACL (acl(5)). The
 * result is found by binding another socket to a temporary name in the same directory.
 */
function canCreateInPlace(address: Address, mode: number | undefined): boolean {
  if (!canBindFinalName(address)) return false;
  if (mode === undefined) return true;
  const trial = os.socket(AF_UNIX, SOCKET_TYPE, 0);
  if (trial < 0) return false;
  try {
    const path = siblingPath(address.bytes, temporaryName());
    if (os.fchmod(trial, mode) < 0 || bindPath(trial, path) < 0) return false;
    try {
      return modeOf(path) === mode;
    } finally {
      unlinkIfExists(path);
    }
  } finally {
    os.close(trial);
  }
}

function createInPlace(fd: number, address: Address, _mode: unknown, listen: () => void): FileIdentity {
  throwIfFailed('bind', bindPath(fd, address.bytes), address);
  const identity = withBindErrors(address, () => lstatSync(address.bytes, { bigint: true }));
  try {
    listen();
  } catch (error) {
    removeFile(address.bytes, identity);
    throw error;
  }
  return identity;
}

/**
 * Binds in a private directory. The kernel reports the path there, whose last component is the final name if it fits.
 */
function createPrivately(
  fd: number,
  address: Address,
  mode: number | undefined,
  listen: () => void,
): FileIdentity {
  const directory = withBindErrors(address, () => new PrivateDirectory(directoryOf(address.bytes)));
  try {
    const name = nameOf(address.bytes);
    const path = directory.entry(nameFits(name) ? name : 'socket');
    throwIfFailed('bind', bindPath(fd, path), address);
    try {
      if (mode !== undefined && modeOf(path) !== mode) withBindErrors(address, () => chmodSync(path, mode));
      listen();
      return withBindErrors(address, () => {
        linkSync(path, address.bytes);
        return lstatSync(path, { bigint: true });
      });
    } finally {
      unlinkIfExists(path);
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

function throwIfFailed(syscall: string, result: number, address: Address): void {
  if (result < 0) throw systemError(syscall, result, address.given);
}

/** Reports errors of the calls that replace a plain bind(2) as errors of bind(2). */
function withBindErrors<T>(address: Address, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const errno = errnoOf(error);
    throw systemError('bind', errno === -EEXIST ? -EADDRINUSE : errno, address.given);
  }
}
