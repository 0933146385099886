/** The processes that have a socket open: /proc/PID/fd (proc(5)). */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface Holder {
  pid: number;
  uid: number;
  command: string;
  fds: number[];
}

export interface Holders {
  byInode: Map<number, Holder[]>;
  /** The number of processes that could not be examined. */
  hidden: number;
}

export function findSocketHolders(): Holders {
  const byInode = new Map<number, Holder[]>();
  let hidden = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let found: Map<number, number[]>;
    try {
      found = socketsOf(name);
    } catch (error) {
      // A process that has ended is not hidden.
      if ((error as NodeJS.ErrnoException).code === 'EACCES' && !hasEnded(name)) hidden++;
      continue;
    }
    if (found.size === 0) continue;
    try {
      const command = readFileSync(`/proc/${name}/comm`, 'utf8').trimEnd();
      const { uid } = statSync(`/proc/${name}`);
      for (const [inode, fds] of found) {
        const list = byInode.get(inode) ?? [];
        list.push({ pid: Number(name), uid, command, fds });
        byInode.set(inode, list);
      }
    } catch {
      // The process has ended.
    }
  }
  return { byInode, hidden };
}

/** Whether it is a zombie, which holds no descriptors, or gone. */
function hasEnded(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}

function socketsOf(pid: string): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = inodeOf(`/proc/${pid}/fd/${fd}`);
    if (inode === undefined) continue;
    found.set(
      inode,
      [...(found.get(inode) ?? []), Number(fd)].sort((a, b) => a - b),
    );
  }
  return found;
}

function inodeOf(link: string): number | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw error;
    // The descriptor was closed.
    return undefined;
  }
}
