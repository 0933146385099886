/** One line about contents: their text, or their bytes in hexadecimal. */
import { isText, textOf } from './text.js';

const MAX_TEXT_BYTES = 300;
const MAX_HEX_BYTES = 48;

export function previewOf(data: Uint8Array): string {
  if (data.length === 0) return '';
  const start = data.subarray(0, MAX_TEXT_BYTES);
  if (isText(start, data.length > MAX_TEXT_BYTES)) return textOf(start).replace(/\s+/g, ' ');
  let hex = '';
  for (const byte of data.subarray(0, MAX_HEX_BYTES)) hex += `${byte.toString(16).padStart(2, '0')} `;
  return data.length > MAX_HEX_BYTES ? `${hex}…` : hex.trimEnd();
}
