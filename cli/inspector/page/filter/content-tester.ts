/** Tests the contents of many messages at once, out of the way of the page. */
import type { ContentQuery } from './content-query.js';

/** The contents of some messages, one after the other. */
export interface ContentBatch {
  bytes: Uint8Array;
  ends: Uint32Array;
}

export interface ContentTester {
  /** Returns one number for each message: 1 if it matches all queries. The batch is given away. */
  test(batch: ContentBatch): Promise<Uint8Array>;
  /** Ends the tests; promises stay unsettled. */
  close(): void;
}

export type OpenTester = (queries: readonly ContentQuery[]) => ContentTester;

/** A test took so long that it was ended. */
export class TooSlow extends Error {}
