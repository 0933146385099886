import { createHash } from 'node:crypto';

export interface Message {
  readonly data: Buffer;
  /** The files whose descriptors travel with it, by their number in the test. */
  readonly files: readonly number[];
}

/** The number of a descriptor that is not open, among those to be sent. */
export const NOT_OPEN = -1;

/** Bytes, short enough for the report of a failure. */
export function digest(bytes: Buffer): string {
  if (bytes.length <= 16) return bytes.toString('hex');
  return `${bytes.length} bytes ${createHash('sha1').update(bytes).digest('hex').slice(0, 12)}`;
}

export function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
