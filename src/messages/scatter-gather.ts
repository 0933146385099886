/** Several buffers that stand for one message, as in readv(2). */
import type { Parts } from '../arguments';
import { os } from '../system/os';

/** A message that fills the parts and continues in the overflow area of the back end, in one buffer. */
export function assemble(bytes: number, parts: Parts): Buffer {
  const data = Buffer.allocUnsafeSlow(bytes);
  os.takeOverflow(data.subarray(copyFromParts(parts, data)));
  return data;
}

/** Parts without room are passed over: one may have been detached while the receive waited. */
function copyFromParts(parts: Parts, target: Buffer): number {
  let at = 0;
  for (const part of arrayOf(parts)) {
    if (part.byteLength > 0) target.set(part, at);
    at += part.byteLength;
  }
  return at;
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
