/** Tests contents in a worker, and ends it when it takes too long. */
import type { ContentQuery } from './content-query.js';
import { type ContentBatch, type ContentTester, TooSlow } from './content-tester.js';

/** For one batch of at most one megabyte. Starting a worker on a busy machine takes a part of it. */
const MAX_MS = 3000;

interface Waiting {
  resolve(matches: Uint8Array): void;
  reject(error: Error): void;
}

export class WorkerTester implements ContentTester {
  readonly #worker = new Worker('filter-worker.js');
  readonly #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(queries: readonly ContentQuery[]) {
    this.#worker.postMessage(queries);
    this.#worker.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
      this.#stopClock();
      this.#waiting.shift()?.resolve(data);
      if (this.#waiting.length > 0) this.#startClock();
    };
    this.#worker.onerror = (event) => this.#fail(new Error(event.message || 'the worker cannot be loaded'));
  }

  test({ bytes, ends }: ContentBatch): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage({ bytes, ends }, [bytes.buffer, ends.buffer]);
      if (this.#timer === undefined) this.#startClock();
    });
  }

  close(): void {
    this.#stopClock();
    this.#worker.terminate();
    this.#waiting.length = 0;
  }

  #startClock(): void {
    this.#timer = setTimeout(() => this.#fail(new TooSlow('It takes too long')), MAX_MS);
  }

  #stopClock(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fail(error: Error): void {
    const waiting = [...this.#waiting];
    this.close();
    for (const { reject } of waiting) reject(error);
  }
}
