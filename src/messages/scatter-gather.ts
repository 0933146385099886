/** Scatter/gather: one message in several buffers, as with readv(2). */
import type { Parts } from '../arguments';
import { systemError } from '../errors';
import { os } from '../system/os';

/** Assembles a message that fills the parts, of `room` bytes, and continues in the overflow area of the back end. */
export function assemble(bytes: number, parts: Parts, room: number): Buffer {
  const data = Buffer.allocUnsafeSlow(bytes);
  copyFromParts(parts, data.subarray(0, room));
  const result = os.takeOverflow(data.subarray(room));
  if (result < 0) throw systemError('recvmsg', result);
  return data;
}

/** Copies from the parts. Empty parts are skipped, because a part may have been detached while the receive waited. */
export function copyFromParts(parts: Parts, target: Buffer): void {
  let at = 0;
  for (const part of arrayOf(parts)) {
    const length = Math.min(part.byteLength, target.length - at);
    if (length > 0) target.set(part.subarray(0, length), at);
    at += length;
  }
}

export function copyToParts(data: Buffer, parts: Parts): void {
  let at = 0;
  for (const part of arrayOf(parts)) {
    if (part.byteLength > 0) part.set(data.subarray(at, at + part.byteLength));
    at += part.byteLength;
  }
}

function arrayOf(parts: Parts): readonly Uint8Array[] {
  return Array.isArray(parts) ? parts : [parts as Uint8Array];
}
