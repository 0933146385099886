/** The flags of descriptors: fcntl(2). */
import { systemError } from '../errors';
import { F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_NONBLOCK } from '../system/linux';
import { os } from '../system/os';

/** Makes a descriptor close-on-exec. */
export function setCloseOnExec(fd: number): void {
  changeFlags(fd, F_GETFD, F_SETFD, FD_CLOEXEC, true);
}

/** Whether reading and writing fail with EAGAIN in place of waiting (O_NONBLOCK). */
export function isNonBlocking(fd: number): boolean {
  return (flagsOf(fd, F_GETFL) & O_NONBLOCK) !== 0;
}

/** The flag belongs to the open file, and so to every descriptor of it, in other processes too. */
export function setNonBlocking(fd: number, value: boolean): void {
  changeFlags(fd, F_GETFL, F_SETFL, O_NONBLOCK, value);
}

function flagsOf(fd: number, get: number): number {
  const flags = os.fcntl(fd, get, 0);
  if (flags < 0) throw systemError('fcntl', flags);
  return flags;
}

function changeFlags(fd: number, get: number, set: number, flag: number, value: boolean): void {
  const flags = flagsOf(fd, get);
  const changed = value ? flags | flag : flags & ~flag;
  if (changed === flags) return;
  const result = os.fcntl(fd, set, changed);
  if (result < 0) throw systemError('fcntl', result);
}
