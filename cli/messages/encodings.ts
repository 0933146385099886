/** Bytes as hex digits and as base64. */
import { Failure } from '../process/failure.js';

/** @throws {Failure} */
export function decodeHex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Failure('not pairs of hex digits');
  return Buffer.from(digits, 'hex');
}

/** @throws {Failure} */
export function decodeBase64(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(digits) || digits.replaceAll('=', '').length % 4 === 1) {
    throw new Failure('not base64');
  }
  return Buffer.from(digits, 'base64');
}
