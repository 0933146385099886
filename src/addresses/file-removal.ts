/** Removal of a name, only if it still refers to a given file. */
import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { EEXIST, ENOENT } from '../system/linux';
import { directoryOf, errnoOf, temporaryName } from './address';
import { PrivateDirectory } from './private-directory';

/**
 * The device and inode number of a file. The kernel can reuse the inode number for another file. To prevent that, keep
 * the file open, or keep its socket bound.
 */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

function refersTo(path: Buffer, { dev, ino }: FileIdentity): boolean {
  const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return now !== undefined && now.dev === dev && now.ino === ino;
}

/**
 * Removes a name if it refers to the given file.
 *
 * The kernel has no call that removes a name only if it refers to a given file. Another file may get the name between a
 * check and unlink(2). Therefore the file is first moved into a private directory, checked there, and moved back if it
 * is another one. The other file is lost only if this process is killed, or a third file gets the name, in the
 * microseconds before it is moved back. If no private directory can be created, the name is checked and unlinked.
 *
 * @throws the errors of `node:fs`
 */
export function removeFile(path: Buffer, file: FileIdentity): void {
  if (!refersTo(path, file)) return;
  const directory = privateDirectoryBeside(path);
  if (directory === undefined) {
    unlinkIfExists(path);
    return;
  }
  try {
    const moved = directory.entry(temporaryName());
    if (!refersTo(path, file) || !renameIfExists(path, moved)) return;
    if (refersTo(moved, file)) unlinkSync(moved);
    else putBack(moved, path);
  } finally {
    directory.remove();
  }
}

function privateDirectoryBeside(path: Buffer): PrivateDirectory | undefined {
  try {
    return new PrivateDirectory(directoryOf(path));
  } catch {
    // No free descriptor, no space, or denied by the permissions of Node.js. unlink(2) reports errors that affect it,
    // too.
    return undefined;
  }
}

/** Uses link(2), which replaces no file. If the name exists, the file stays in the private directory. */
function putBack(moved: Buffer, path: Buffer): void {
  try {
    linkSync(moved, path);
  } catch (error) {
    if (errnoOf(error) === -EEXIST) return;
    // link(2) fails for a directory and, with fs.protected_hardlinks, for a file of another user (proc_sys_fs(5)).
    renameSync(moved, path);
    return;
  }
  unlinkSync(moved);
}

function renameIfExists(from: Buffer, to: Buffer): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === -ENOENT) return false;
    throw error;
  }
}

/** Calls unlink(2). The name may already have been removed. */
export function unlinkIfExists(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== -ENOENT) throw error;
  }
}
