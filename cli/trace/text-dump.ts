/** Shows contents as text: lines as they are, JSON laid out. Contents that are mostly no text are shown as hex. */
import { isUtf8 } from 'node:buffer';
import { printableLines } from '../process/terminal.js';
import { hexDump } from './hex-dump.js';
import { layOutJson } from './json-layout.js';

const INDENTATION = '    ';

/** Contents with more than one escape, and more than one in so many bytes, are shown as hex. */
const BYTES_PER_ESCAPE = 10;

/** @param maxBytes how many bytes to show; a last line gives the number of the others */
export function textDump(data: Buffer, maxBytes: number): string {
  if (data.length === 0 || maxBytes === 0) return '';
  const shown = data.subarray(0, endOfCharacter(data, maxBytes));
  const text = decode(shown);
  if (text === undefined) return hexDump(data, maxBytes);
  const rest = data.length - shown.length;
  const whole = rest === 0 ? layOutJson(text) : undefined;
  const lines = printableLines(whole ?? text)
    // The last line feed of several lines, and that of the only line, would not be visible.
    .replace(/\n$/, rest === 0 ? '\\x0a' : '')
    .replaceAll('\n', `\n${INDENTATION}`);
  return `${INDENTATION}${lines}\n${rest > 0 ? `${INDENTATION}… ${rest} more bytes (--bytes)\n` : ''}`;
}

/** The largest number of bytes up to a limit that does not divide a character. */
function endOfCharacter(data: Buffer, limit: number): number {
  if (limit >= data.length) return data.length;
  for (let end = limit; end > limit - 4 && end > 0; end--) {
    if ((data[end]! & 0xc0) !== 0x80) return end;
  }
  return limit;
}

/** As text in which `\xNN` stands for each byte that is not UTF-8; undefined for contents that are mostly no text. */
function decode(data: Buffer): string | undefined {
  let allowed = Math.max(1, data.length / BYTES_PER_ESCAPE);
  for (const byte of data) if (isControl(byte) && --allowed < 0) return undefined;
  if (isUtf8(data)) return String(data);
  let text = '';
  let start = 0;
  for (let at = 0; at < data.length; ) {
    const length = lengthOfCharacter(data[at]!);
    if (length === 1 || (length > 1 && isUtf8(data.subarray(at, at + length)))) {
      at += length;
      continue;
    }
    if (--allowed < 0) return undefined;
    text += `${data.toString('utf8', start, at)}\\x${data[at]!.toString(16)}`;
    start = ++at;
  }
  return text + data.toString('utf8', start);
}

/** Except those of lines. */
function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
}

/** By its first byte in UTF-8; 0 for a byte that begins none. */
function lengthOfCharacter(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
