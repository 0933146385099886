/** Divides text at the places where another text is, in both cases of letters. */

const MAX_MARKS = 1000;

/** Every second piece is a place; the first is not. */
export function markedPieces(text: string, marked: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  if (marked !== '') {
    const pattern = new RegExp(marked.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
    for (const match of text.matchAll(pattern)) {
      if (pieces.length >= 2 * MAX_MARKS) break;
      pieces.push(text.slice(start, match.index), match[0]);
      start = match.index + match[0].length;
    }
  }
  pieces.push(text.slice(start));
  return pieces;
}
