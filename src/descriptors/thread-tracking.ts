/**
 * Numbers that Node.js closes when a worker ends. There it keeps a list of what `node:fs` has opened and not closed
 * (`trackUnmanagedFds` in node:worker_threads). What is closed past that list is closed once more at the end of the
 * worker, when the number may be that of another thread's file.
 */
import { closeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { systemError } from '../errors';
import { type FileType, fileTypeOf } from './descriptor-kind';
import { OwnedDescriptor } from './owned-descriptor';

/** Bun and Deno keep no such list. */
const KEEPS_LIST = !isMainThread && !('bun' in process.versions) && !('Deno' in globalThis);

/** Neither sockets nor what has no type, as pidfds, come from open(2). */
const NEVER_TRACKED: readonly FileType[] = ['socket', 'unknown'];

/** Whether the number of an open descriptor may be in the list: there is no way to ask. */
export function mayBeTracked(fd: number): boolean {
  return KEEPS_LIST && !NEVER_TRACKED.includes(fileTypeOf(fd));
}

/** A descriptor that is left to Node.js to close: `node:fs` when its owner does, or else the end of the worker. */
export class TrackedDescriptor extends OwnedDescriptor {
  #fd: number;

  constructor(fd: number) {
    super(-1);
    this.#fd = fd;
  }

  override get fd(): number {
    return this.#fd;
  }

  override take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  override close(): void {
    const fd = this.take();
    if (fd !== -1) closeTracked(fd);
  }
}

/** Without the warning that Node.js emits for a number which is not in its list. */
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
