/** Contents as hexadecimal digits, and back. */

export class HexError extends Error {}

export interface HexLine {
  offset: string;
  hex: string;
  ascii: string;
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const MIN_OFFSET_DIGITS = 4;

/** @param width bytes of a line; a gap is in its middle */
export function hexLine(data: Uint8Array, line: number, width: number): HexLine {
  const start = line * width;
  let hex = '';
  let ascii = '';
  for (let at = start; at < start + width; at++) {
    if (at > start) hex += (at - start) * 2 === width ? '  ' : ' ';
    const byte = data[at];
    hex += byte === undefined ? '  ' : DIGITS[byte]!;
    if (byte !== undefined) ascii += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  const digits = Math.max(MIN_OFFSET_DIGITS, Math.max(0, data.length - 1).toString(16).length);
  return { offset: start.toString(16).padStart(digits, '0'), hex, ascii };
}

export function formatHex(data: Uint8Array): string {
  let text = '';
  for (const [index, byte] of data.entries()) {
    if (index > 0) text += index % 16 === 0 ? '\n' : ' ';
    text += DIGITS[byte]!;
  }
  return text;
}

/** @throws {HexError} */
export function parseHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/\s+/g, '');
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong !== null) throw new HexError(`"${wrong[0]}" is not a hexadecimal digit`);
  if (digits.length % 2 === 1) throw new HexError('the number of hexadecimal digits is odd');
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}
