/** Shows bytes as hex digits and as ASCII. */

const BYTES_PER_LINE = 16;
const HEX_WIDTH = 3 * BYTES_PER_LINE + 1;

/** @param maxBytes how many bytes to show; a last line gives the number of the others */
export function hexDump(data: Buffer, maxBytes: number, indentation = '    '): string {
  const shown = data.subarray(0, maxBytes);
  let text = '';
  for (let at = 0; at < shown.length; at += BYTES_PER_LINE) {
    const line = shown.subarray(at, at + BYTES_PER_LINE);
    let hex = '';
    let ascii = '';
    for (const [index, byte] of line.entries()) {
      hex += `${index === BYTES_PER_LINE / 2 ? ' ' : ''}${byte.toString(16).padStart(2, '0')} `;
      ascii += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
    }
    text += `${indentation}${at.toString(16).padStart(4, '0')}  ${hex.padEnd(HEX_WIDTH)} ${ascii}\n`;
  }
  const rest = data.length - shown.length;
  if (rest > 0 && maxBytes > 0) text += `${indentation}… ${rest} more bytes (--bytes)\n`;
  return text;
}
