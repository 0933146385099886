/**
 * Removal of the socket files of dead servers, and of no other files.
 *
 * **A dead file** is a socket file without a bound socket. bind(2) creates a new file each time, so that a dead file
 * stays dead. connect(2) detects a dead file exactly: a connect by a datagram socket fails with ECONNREFUSED for a dead
 * file, and only then. For a bound socket of another type, listening or not, it fails with EPROTOTYPE. For a bound
 * datagram socket it succeeds, or fails with EPERM (unix_find_bsd and unix_dgram_connect in net/unix/af_unix.c). A
 * connect by a SEQPACKET socket would also fail with ECONNREFUSED for a socket that is bound but does not listen.
 *
 * **Between the probe and the removal**, the name must not change to refer to another file. Two servers could find the
 * same dead file and remove it in turn, so that the second server removes the new file of the first. Therefore only the
 * holder of a claim removes a dead file. A claim is a socket bound to a temporary name in the same directory, which is
 * derived from the name and the inode number of the dead file. Only one socket at a time can be bound to it. A lock on
 * the directory (flock(2)) is not sufficient, because it requires only read permission. A claim requires write
 * permission. The claim of a killed process is itself a dead file, and is reclaimed in the same way, with a claim on
 * it. A dead file is never used again, so that a process can be killed at any point.
 *
 * **Between mknod and bind** in the kernel, a file is visible but its socket cannot be found yet, so that the file
 * seems dead. Since 5.14, Linux holds the lock of the directory during both steps, and the bind(2) of the claim needs
 * that lock. Therefore the probe after the claim is the decisive one. Before 5.14, a pause makes this error unlikely.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { systemError } from '../errors';
import {
  AF_UNIX,
  EACCES,
  EADDRINUSE,
  EBUSY,
  ECONNREFUSED,
  ENOENT,
  EPERM,
  EROFS,
  O_PATH,
  SOCK_DGRAM,
  SOCKET_FLAGS,
  SOCKET_TYPE,
} from '../system/linux';
import { os } from '../system/os';
import { bindTo, connectTo, descriptorAddress, errnoOf, fileAddress, nameOf, siblingPath } from './address';
import { removeFile, unlinkIfExists } from './file-removal';

/** The maximum depth of claims on claims. Killed processes do not leave more by accident. */
const DEEPEST_CLAIM = 8;

const PAUSE_MS = 1;

/**
 * Removes a socket file if it is dead.
 *
 * @returns whether the name was free or has been freed. Another process may already have taken it again
 * @throws if the state of the file cannot be determined: `EMFILE`, `ENOSPC`, …
 */
export function reclaim(path: Buffer, depth = 0): boolean {
  let file: number;
  try {
    file = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === -ENOENT) return true;
    throw error;
  }
  try {
    // While the file is open, no other file gets its inode number.
    const found = fstatSync(file, { bigint: true });
    if (!found.isSocket() || !isDead(file, path) || depth > DEEPEST_CLAIM) return false;
    return removeDead(path, file, found, depth);
  } finally {
    closeSync(file);
  }
}

function removeDead(path: Buffer, file: number, found: BigIntStats, depth: number): boolean {
  const claim = os.socket(AF_UNIX, SOCKET_TYPE, 0);
  if (claim < 0) throw systemError('socket', claim);
  try {
    const claimPath = siblingPath(path, claimName(path, found.ino));
    if (!bindClaim(claim, claimPath, depth)) return false;
    try {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
      if (!isDead(file, path)) return false;
      removeFile(path, found);
      return true;
    } finally {
      // The claim is still bound, so that no other process removes it.
      unlinkIfExists(claimPath);
    }
  } catch (error) {
    if (isForbidden(errnoOf(error))) return false;
    throw error;
  } finally {
    os.close(claim);
  }
}

/** Binds the claim. Returns false if another process holds it, and is about to replace the dead file. */
function bindClaim(claim: number, path: Buffer, depth: number): boolean {
  const bind = () => bindTo(fileAddress(path), (sockaddr) => os.bind(claim, sockaddr));
  let result = bind();
  if (result === -EADDRINUSE && reclaim(path, depth + 1)) result = bind();
  if (result < 0 && result !== -EADDRINUSE) throw systemError('bind', result);
  return result >= 0;
}

/** The name of a claim. It has a fixed length, and a claim on a claim never has the name of a claim above it. */
function claimName(path: Buffer, inode: bigint): string {
  const digest = createHash('sha256').update(nameOf(path)).update(`\0${inode}`).digest('hex');
  return `.seqpacket-${digest.slice(0, 24)}`;
}

/** Whether the error reports that removal is not permitted. The file then keeps its name, dead or not. */
function isForbidden(errno: number): boolean {
  return [EACCES, EPERM, EROFS, EBUSY].includes(-errno);
}

/** Whether no socket is bound to a socket file. False also if that cannot be determined. */
function isDead(file: number, path: Buffer): boolean {
  const probe = os.socket(AF_UNIX, SOCK_DGRAM | SOCKET_FLAGS, 0);
  if (probe < 0) throw systemError('socket', probe);
  try {
    const result = os.connect(probe, descriptorAddress(file));
    if (result !== -ENOENT) return result === -ECONNREFUSED;
    // There is no /proc. The removal checks that the path still refers to the same file.
    return connectTo(fileAddress(path), (sockaddr) => os.connect(probe, sockaddr)) === -ECONNREFUSED;
  } finally {
    os.close(probe);
  }
}
