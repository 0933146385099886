/** The worker that tests contents: a regular expression that takes forever holds up the worker, not the page. */
import { matchBatch } from './batch-matching.js';
import type { ContentQuery } from './content-query.js';
import type { ContentBatch } from './content-tester.js';
import { type Matcher, matcherOf } from './matcher.js';

/** The part of a worker's global object that is used. The compiler knows only that of a page. */
interface WorkerScope {
  onmessage: (event: MessageEvent<readonly ContentQuery[] | ContentBatch>) => void;
  postMessage(message: Uint8Array, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let matchers: Matcher[] = [];

/** The queries come first, then batches. */
scope.onmessage = ({ data }) => {
  if ('ends' in data) {
    const matches = matchBatch(data, matchers);
    scope.postMessage(matches, [matches.buffer]);
  } else {
    matchers = data.map(matcherOf);
  }
};
