/**
 * Descriptors that Node.js closes when a worker ends. Node.js keeps a list of the descriptors that `node:fs` has opened
 * in the worker and not closed (`trackUnmanagedFds` in node:worker_threads). A descriptor on the list that is closed by
 * other means is closed again when the worker ends. By then its number may belong to another thread's file.
 */
import { closeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { systemError } from '../errors';
import { type FileType, fileTypeOf } from './descriptor-kind';
import { OwnedDescriptor } from './owned-descriptor';

/** Whether this thread has such a list. Bun and Deno have none. */
const HAS_LIST = !isMainThread && !('bun' in process.versions) && !('Deno' in globalThis);

/** Types that open(2) does not return: sockets, and files without a type, such as pidfds. */
const NEVER_TRACKED: readonly FileType[] = ['socket', 'unknown'];

/** Whether the number of an open descriptor may be on the list. Node.js has no way to look it up. */
export function mayBeTracked(fd: number): boolean {
  return HAS_LIST && !NEVER_TRACKED.includes(fileTypeOf(fd));
}

/** A descriptor that Node.js closes: through `node:fs` when its owner closes it, or else when the worker ends. */
export class TrackedDescriptor extends OwnedDescriptor {
  protected override closeNumber(fd: number): void {
    closeTracked(fd);
  }
}

/** Closes the number, and suppresses the warning of Node.js for a number that is not on the list. */
function closeTracked(fd: number): void {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes('not opened in unmanaged mode')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    closeSync(fd);
  } catch (error) {
    throw systemError('close', (error as NodeJS.ErrnoException).errno as number);
  } finally {
    process.emitWarning = emitWarning;
  }
}
