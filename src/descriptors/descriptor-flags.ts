/** Descriptor flags and file status flags: fcntl(2). */
import { systemError } from '../errors';
import { F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_NONBLOCK } from '../system/linux';
import { os } from '../system/os';

/** Makes a descriptor close-on-exec (FD_CLOEXEC). */
export function setCloseOnExec(fd: number): void {
  changeFlags(fd, F_GETFD, F_SETFD, FD_CLOEXEC, true);
}

/** Whether reads and writes fail with EAGAIN instead of blocking (O_NONBLOCK). */
export function isNonBlocking(fd: number): boolean {
  return (getFlags(fd, F_GETFL) & O_NONBLOCK) !== 0;
}

/** Sets O_NONBLOCK of the open file description. All duplicates share it, including those in other processes. */
export function setNonBlocking(fd: number, value: boolean): void {
  changeFlags(fd, F_GETFL, F_SETFL, O_NONBLOCK, value);
}

function getFlags(fd: number, get: number): number {
  const flags = os.fcntl(fd, get, 0);
  if (flags < 0) throw systemError('fcntl', flags);
  return flags;
}

function changeFlags(fd: number, get: number, set: number, flag: number, value: boolean): void {
  const flags = getFlags(fd, get);
  const changed = value ? flags | flag : flags & ~flag;
  if (changed === flags) return;
  const result = os.fcntl(fd, set, changed);
  if (result < 0) throw systemError('fcntl', result);
}
