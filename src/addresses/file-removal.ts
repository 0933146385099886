/** Removing a file from under its name, if it is still that file. */
import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { EEXIST, ENOENT } from '../system/linux';
import { directoryOf, errnoOf, hiddenName } from './address';
import { PrivateDirectory } from './private-directory';

/**
 * The device and inode of a file. The number of an inode is given to another file only once nothing holds the
 * first one: keep it open, or its socket bound.
 */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

function leadsTo(path: Buffer, { dev, ino }: FileIdentity): boolean {
  const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return now !== undefined && now.dev === dev && now.ino === ino;
}

/**
 * Removes a name if it leads to that file.
 *
 * Another file may come under the name between a look at it and unlink(2). Therefore the file is moved into a private
 * directory first, looked at there, and put back if it is another one. That one is lost only if, in the microseconds
 * until it is back, this process is killed or a third file takes the name. The kernel has no call that removes a name
 * if it leads to a given file. Where no private directory can be made, unlink(2) has to do.
 *
 * @throws as `node:fs` does
 */
export function removeFile(path: Buffer, file: FileIdentity): void {
  if (!leadsTo(path, file)) return;
  const aside = privateDirectoryBeside(path);
  if (aside === undefined) {
    unlinkIfThere(path);
    return;
  }
  try {
    const moved = aside.entry(hiddenName());
    if (!leadsTo(path, file) || !renameIfThere(path, moved)) return;
    if (leadsTo(moved, file)) unlinkSync(moved);
    else putBack(moved, path);
  } finally {
    aside.remove();
  }
}

function privateDirectoryBeside(path: Buffer): PrivateDirectory | undefined {
  try {
    return new PrivateDirectory(directoryOf(path));
  } catch {
    // No descriptor or no room for it, or forbidden by Node's permissions. What prevents unlink(2), too, it reports.
    return undefined;
  }
}

/** By link(2), which replaces nothing. A file that finds its name taken stays in the private directory. */
function putBack(moved: Buffer, path: Buffer): void {
  try {
    linkSync(moved, path);
  } catch (error) {
    if (errnoOf(error) === -EEXIST) return;
    // Neither a directory nor, with fs.protected_hardlinks, a file of another user can be linked (proc_sys_fs(5)).
    renameSync(moved, path);
    return;
  }
  unlinkSync(moved);
}

function renameIfThere(from: Buffer, to: Buffer): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === -ENOENT) return false;
    throw error;
  }
}

/** unlink(2), for a name that others may have removed already. */
export function unlinkIfThere(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== -ENOENT) throw error;
  }
}
