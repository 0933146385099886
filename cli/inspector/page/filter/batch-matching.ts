/** Tests a batch of contents against all queries. */
import type { ContentBatch } from './content-tester.js';
import type { Matcher } from './matcher.js';

export function matchBatch({ bytes, ends }: ContentBatch, matchers: readonly Matcher[]): Uint8Array {
  const matches = new Uint8Array(ends.length);
  let start = 0;
  for (const [index, end] of ends.entries()) {
    const contents = bytes.subarray(start, end);
    if (matchers.every((matches) => matches(contents))) matches[index] = 1;
    start = end;
  }
  return matches;
}
