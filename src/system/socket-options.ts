/** The socket options of the kernel, at the level SOL_SOCKET (socket(7), unix(7)). */
import { systemError } from '../errors';
import { ERANGE, SOL_SOCKET } from './linux';
import { os } from './os';

export function getSocketOption(fd: number, name: number, value: Uint8Array | Int32Array): number {
  const length = os.getsockopt(fd, SOL_SOCKET, name, value);
  if (length < 0) throw systemError('getsockopt', length);
  return length;
}

export function getIntegerOption(fd: number, name: number): number {
  const value = new Int32Array(1);
  getSocketOption(fd, name, value);
  return value[0] as number;
}

export function setIntegerOption(fd: number, name: number, value: number): void {
  const result = os.setsockopt(fd, SOL_SOCKET, name, Int32Array.of(value));
  if (result < 0) throw systemError('setsockopt', result);
}

const LARGEST_VARIABLE_OPTION = 1 << 20;

/** Reads an option of unknown length. The kernel reports ERANGE until the buffer is large enough. */
export function getVariableOption(fd: number, name: number): Buffer {
  for (let room = 256; ; room *= 4) {
    const value = Buffer.alloc(room);
    const length = os.getsockopt(fd, SOL_SOCKET, name, value);
    if (length >= 0) return value.subarray(0, length);
    if (length !== -ERANGE || room > LARGEST_VARIABLE_OPTION) throw systemError('getsockopt', length);
  }
}
