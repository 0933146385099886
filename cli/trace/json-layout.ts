/**
 * Lays out JSON for reading: what fits in a line stays in one line, other objects and arrays have a line for each member.
 * All tokens are kept as they are: long numbers, escapes, repeated keys.
 */

const WIDTH = 100;
const MAX_DEPTH = 100;
const CLOSING = new Set(['}', ']']);

/** Returns undefined for text that is no object and no array, or that is nested very deeply. */
export function layOutJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = tokensOf(text);
  return tokens && layOut(tokens);
}

/** @param text valid JSON */
function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  const scalar = /[^\s{}[\],:"]+/y;
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const character = text.charAt(at);
    let token = character;
    switch (character) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        at++;
        continue;
      case '{':
      case '[':
        if (++depth > MAX_DEPTH) return undefined;
        break;
      case '}':
      case ']':
        depth--;
        break;
      case ',':
      case ':':
        break;
      case '"':
        token = text.slice(at, endOfString(text, at));
        break;
      default:
        scalar.lastIndex = at;
        token = scalar.exec(text)![0];
    }
    tokens.push(token);
    at += token.length;
  }
  return tokens;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
}

function layOut(tokens: readonly string[]): string {
  const { widths, ends } = measure(tokens);
  let result = '';
  let lineStart = 0;
  let depth = 0;
  /** The end of the group that is shown in one line. */
  let flatEnd = -1;
  const startLine = () => {
    result += '\n';
    lineStart = result.length;
    result += '  '.repeat(depth);
  };
  for (const [index, token] of tokens.entries()) {
    const end = ends[index];
    if (end !== undefined) {
      depth++;
      const isShort = result.length - lineStart + widths[index]! <= WIDTH || end === index + 1;
      if (index > flatEnd && isShort) flatEnd = end;
    }
    const isFlat = index <= flatEnd;
    if (CLOSING.has(token)) {
      depth--;
      if (!isFlat) startLine();
    }
    result += token;
    if (token === ':') result += ' ';
    else if (isFlat && token === ',') result += ' ';
    else if (!isFlat && (token === ',' || end !== undefined)) startLine();
  }
  return result;
}

/** For each token that opens a group: the width of the group in one line, and the index of the closing token. */
function measure(tokens: readonly string[]): { widths: number[]; ends: (number | undefined)[] } {
  const widths: number[] = [];
  const ends: (number | undefined)[] = [];
  const open: number[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [index, token] of tokens.entries()) {
    widths.push(0);
    ends.push(undefined);
    offsets.push(offset);
    offset += token.length + (token === ',' || token === ':' ? 1 : 0);
    if (token === '{' || token === '[') open.push(index);
    if (!CLOSING.has(token)) continue;
    const start = open.pop()!;
    widths[start] = offset - offsets[start]!;
    ends[start] = index;
  }
  return { widths, ends };
}
