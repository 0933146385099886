/** Contents as JSON. */
import { isText, textOf } from './text.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Parsing more would take too long. */
const MAX_BYTES = 16 * 1_048_576;
/** The first byte of an object or an array, after white space. A lone number is rather text. */
const START = /^\s*[[{]/;

/** Returns undefined if the contents are neither an object nor an array of JSON, nor lines of them. */
export function jsonOf(data: Uint8Array): Json | undefined {
  if (data.length > MAX_BYTES || !START.test(textOf(data.subarray(0, 64))) || !isText(data)) return undefined;
  const text = textOf(data);
  try {
    return JSON.parse(text) as Json;
  } catch {
    return linesOf(text);
  }
}

/** Several lines, each of them JSON. */
function linesOf(text: string): Json[] | undefined {
  const lines = text.trim().split('\n');
  if (lines.length < 2) return undefined;
  try {
    return lines.map((line) => JSON.parse(line) as Json);
  } catch {
    return undefined;
  }
}

/** The parts of an object or an array; undefined for other values. */
export function entriesOf(value: Json): [key: string, value: Json][] | undefined {
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
}

const MAX_SUMMARY = 60;

/** One line about an object or an array that is folded. */
export function summaryOf(value: Json): string {
  const text = JSON.stringify(value).slice(0, MAX_SUMMARY + 1);
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY)}…` : text;
}
