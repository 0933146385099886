/** Tests whether contents match a query. */
import type { ContentQuery } from './content-query.js';

export type Matcher = (contents: Uint8Array) => boolean;

export function matcherOf(query: ContentQuery): Matcher {
  return query.kind === 'text' ? textMatcher(query.text) : expressionMatcher(query.source, query.flags);
}

/** Bytes, with the lower-case form of ASCII's letters. */
const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));

/** Searches bytes (Boyer–Moore–Horspool), because decoding takes longer. ASCII's letters match in both cases. */
function textMatcher(text: string): Matcher {
  const needle = new TextEncoder().encode(text).map((byte) => FOLDED[byte]!);
  const last = needle.length - 1;
  const skips = new Uint32Array(256).fill(needle.length);
  for (let at = 0; at < last; at++) skips[needle[at]!] = last - at;
  return (contents) => {
    for (let at = last; at < contents.length; at += skips[FOLDED[contents[at]!]!]!) {
      let back = 0;
      while (back <= last && FOLDED[contents[at - back]!] === needle[last - back]) back++;
      if (back > last) return true;
    }
    return false;
  };
}

function expressionMatcher(source: string, flags: string): Matcher {
  const decoder = new TextDecoder();
  // With `g` or `y`, each test would start where the one before ended.
  const expression = new RegExp(source, flags.replace(/[gy]/g, ''));
  return (contents) => expression.test(decoder.decode(contents));
}
