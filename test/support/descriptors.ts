import { fstatSync, readdirSync, readlinkSync } from 'node:fs';

/** The descriptors that this process has open, by number, and what they are. */
export function openDescriptors(): Map<number, string> {
  const open = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The one that readdir itself used.
    }
  }
  return open;
}

export function isOpenDescriptor(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
