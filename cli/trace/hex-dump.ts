/** Bytes in hex and as text. */

const BYTES_PER_LINE = 16;
const HEX_WIDTH = 3 * BYTES_PER_LINE + 1;

/** @param most how many bytes to show */
export function hexDump(data: Buffer, most: number, indentation = '    '): string {
  const shown = data.subarray(0, most);
  let text = '';
  for (let at = 0; at < shown.length; at += BYTES_PER_LINE) {
    const line = shown.subarray(at, at + BYTES_PER_LINE);
    let hex = '';
    let characters = '';
    for (const [index, byte] of line.entries()) {
      hex += `${index === BYTES_PER_LINE / 2 ? ' ' : ''}${byte.toString(16).padStart(2, '0')} `;
      characters += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
    }
    text += `${indentation}${at.toString(16).padStart(4, '0')}  ${hex.padEnd(HEX_WIDTH)} ${characters}\n`;
  }
  const rest = data.length - shown.length;
  if (rest > 0 && most > 0) text += `${indentation}… ${rest} more bytes (--bytes)\n`;
  return text;
}
