/**
 * Removing the socket files of dead servers, and nothing else.
 *
 * **Dead** is a file that no socket is bound to. bind(2) makes a file of its own each time, so that a dead file
 * stays dead. connect(2) reports it exactly: a connect by a datagram socket is refused (ECONNREFUSED) at a dead file,
 * and nowhere else. At a bound socket of another type, listening or not, it fails with EPROTOTYPE; at a bound datagram
 * socket it succeeds, or fails with EPERM (unix_find_bsd and unix_dgram_connect in net/unix/af_unix.c). A connect by
 * a SEQPACKET socket would be refused also at a socket that is bound but does not listen.
 *
 * **Between the probe and the removal** the name must not have come to lead to another file: two servers that find
 * the same dead file could remove it one after the other, and the second one would remove what the first one has put
 * there since. So a name is taken from a dead file only by the holder of a claim: a socket that is bound to a hidden
 * name beside it, made of the name and the number of the dead inode. Only one socket at a time can be bound to it. A
 * lock on the directory (flock(2)) would not do: read permission is enough to hold it. A claim needs write permission.
 * The claim of a process that was killed is itself a dead file, and is reclaimed in the same way: by the holder of a
 * claim on it. A dead file is never needed again, so that a process may be killed at any point.
 *
 * **Between mknod and bind** in the kernel a file is visible before its socket can be found, and looks dead. Linux
 * holds the directory's lock from one to the other (since 5.14), and the claim's own bind(2) needs that lock. So the
 * probe that counts is the one after the claim. Before 5.14 a pause has to do.
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
import { bindTo, connectTo, descriptorAddress, errnoOf, fileAddress, nameOf, sibling } from './address';
import { removeFile, unlinkIfThere } from './file-removal';

/** More claims upon claims than this, each left by a process that was killed, are no accident. */
const DEEPEST_CLAIM = 8;

const PAUSE_MS = 1;

/**
 * Removes a socket file if it is dead.
 *
 * @returns whether the name is free, unless it has been taken again
 * @throws if that cannot be found out: `EMFILE`, `ENOSPC`, …
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
    // As long as it is open, no other file gets the number of its inode.
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
    const claimPath = sibling(path, claimName(path, found.ino));
    if (!bindClaim(claim, claimPath, depth)) return false;
    try {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
      if (!isDead(file, path)) return false;
      removeFile(path, found);
      return true;
    } finally {
      // While the claim is still bound: no other process removes it.
      unlinkIfThere(claimPath);
    }
  } catch (error) {
    if (isForbidden(errnoOf(error))) return false;
    throw error;
  } finally {
    os.close(claim);
  }
}

/** Whether the claim is held; if not, another process is about to take the dead file's place. */
function bindClaim(claim: number, path: Buffer, depth: number): boolean {
  const bind = () => bindTo(fileAddress(path), (sockaddr) => os.bind(claim, sockaddr));
  let result = bind();
  if (result === -EADDRINUSE && reclaim(path, depth + 1)) result = bind();
  if (result < 0 && result !== -EADDRINUSE) throw systemError('bind', result);
  return result >= 0;
}

/** Of fixed length; the claims upon a claim never get the name of another one above them. */
function claimName(path: Buffer, inode: bigint): string {
  const digest = createHash('sha256').update(nameOf(path)).update(`\0${inode}`).digest('hex');
  return `.seqpacket-${digest.slice(0, 24)}`;
}

/** A file that may not be removed from the directory keeps its name, dead or not. */
function isForbidden(errno: number): boolean {
  return [EACCES, EPERM, EROFS, EBUSY].includes(-errno);
}

/** Whether a socket file has no socket. `false` also if that cannot be found out. */
function isDead(file: number, path: Buffer): boolean {
  const probe = os.socket(AF_UNIX, SOCK_DGRAM | SOCKET_FLAGS, 0);
  if (probe < 0) throw systemError('socket', probe);
  try {
    const result = os.connect(probe, descriptorAddress(file));
    if (result !== -ENOENT) return result === -ECONNREFUSED;
    // There is no /proc. Before the removal it is checked that the name leads to the same file still.
    return connectTo(fileAddress(path), (sockaddr) => os.connect(probe, sockaddr)) === -ECONNREFUSED;
  } finally {
    os.close(probe);
  }
}
