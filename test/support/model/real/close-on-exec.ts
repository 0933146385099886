import { readFileSync } from 'node:fs';
import type { FileDescriptor } from 'seqpacket';

export const FD_CLOEXEC = 0o2000000;

export function isCloseOnExec({ fd }: FileDescriptor): boolean {
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))!;
  return (Number.parseInt(flags!, 8) & FD_CLOEXEC) !== 0;
}
