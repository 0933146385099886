/** Contents as text. */

const lenient = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });
/** The most that a cut can leave of a character in UTF-8. */
const MAX_REST = 3;

/** Control characters that text does not have. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/;

export function textOf(data: Uint8Array): string {
  return lenient.decode(data);
}

/** Whether it is UTF-8 that can be read. @param isCut whether the end may be within a character */
export function isText(data: Uint8Array, isCut = false): boolean {
  for (let rest = 0; rest <= (isCut ? MAX_REST : 0); rest++) {
    try {
      return !CONTROL.test(strict.decode(data.subarray(0, data.length - rest)));
    } catch {
      // The character at the end may be incomplete.
    }
  }
  return false;
}
