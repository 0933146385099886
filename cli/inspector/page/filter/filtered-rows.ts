/**
 * The numbers of the rows that pass a filter. Rows are tested in time slices, and contents by a tester elsewhere, so
 * that the page stays responsive.
 */
import { NumberList } from '../messages/number-list.js';
import type { MessageStore } from '../messages/store.js';
import type { ContentQuery } from './content-query.js';
import type { ContentBatch, ContentTester, OpenTester } from './content-tester.js';
import { ALL, type Criteria, passes } from './criteria.js';

const BATCH_BYTES = 1_048_576;
const BATCH_ROWS = 8192;
/** The tester has the next batch when it has finished one. */
const MAX_BATCHES = 2;
/** How many rows are tested between two looks at the clock. */
const ROWS_AT_ONCE = 512;

export class FilteredRows {
  readonly rows = new NumberList();
  /** Counts the filters: the rows of different filters have nothing in common. */
  generation = 0;
  /** Why the rest was not tested. */
  error: Error | undefined;
  readonly #store: MessageStore;
  readonly #openTester: OpenTester;
  readonly #onChange: () => void;
  #criteria: Criteria = ALL;
  #queries: readonly ContentQuery[] = [];
  #tester: ContentTester | undefined;
  #batches = 0;
  /** The number of the next row to be tested. */
  #next = 0;

  /** @param onChange called when contents were tested */
  constructor(store: MessageStore, openTester: OpenTester, onChange: () => void) {
    this.#store = store;
    this.#openTester = openTester;
    this.#onChange = onChange;
  }

  filter(criteria: Criteria, queries: readonly ContentQuery[]): void {
    this.#tester?.close();
    this.#tester = undefined;
    this.#batches = 0;
    this.#criteria = criteria;
    this.#queries = queries;
    this.generation++;
    this.error = undefined;
    this.#next = this.#store.first;
    this.rows.clear();
  }

  /** Whether rows before that number are still to be tested. */
  isBusy(end: number): boolean {
    return this.error === undefined && (this.#batches > 0 || this.#next < end);
  }

  /** The share of rows that were tested. */
  get progress(): number {
    return this.#store.length === 0 ? 1 : (this.#next - this.#store.first) / this.#store.length;
  }

  /**
   * Tests rows for a while. Returns whether it can go on at once.
   *
   * @param end the rows from this number on are left alone
   */
  advance(isTimeOver: () => boolean, end: number): boolean {
    const { first } = this.#store;
    this.rows.dropBefore(first);
    if (this.error !== undefined) return false;
    if (this.#next < first) this.#next = first;
    while (this.#next < end) {
      if (this.#queries.length === 0) this.#test(Math.min(end, this.#next + ROWS_AT_ONCE));
      else if (this.#batches < MAX_BATCHES) this.#send(end);
      else return false;
      if (isTimeOver()) return this.#next < end;
    }
    return false;
  }

  #test(end: number): void {
    for (; this.#next < end; this.#next++)
      if (passes(this.#store, this.#next, this.#criteria)) this.rows.push(this.#next);
  }

  /** Gives the next batch to the tester. */
  #send(end: number): void {
    const numbers: number[] = [];
    let bytes = 0;
    const last = Math.min(end, this.#next + 4 * BATCH_ROWS);
    while (this.#next < last && bytes < BATCH_BYTES && numbers.length < BATCH_ROWS) {
      if (passes(this.#store, this.#next, this.#criteria)) {
        numbers.push(this.#next);
        bytes += this.#store.size(this.#next);
      }
      this.#next++;
    }
    if (numbers.length === 0) return;
    this.#tester ??= this.#openTester(this.#queries);
    this.#batches++;
    const { generation } = this;
    this.#tester.test(this.#batchOf(numbers, bytes)).then(
      (matches) => {
        if (generation !== this.generation) return;
        this.#batches--;
        for (const [index, number] of numbers.entries()) if (matches[index] === 1) this.rows.push(number);
        this.#onChange();
      },
      (error: Error) => {
        if (generation !== this.generation) return;
        this.#batches = 0;
        this.error ??= error;
        this.#onChange();
      },
    );
  }

  #batchOf(numbers: readonly number[], length: number): ContentBatch {
    const bytes = new Uint8Array(length);
    const ends = new Uint32Array(numbers.length);
    let at = 0;
    for (const [index, number] of numbers.entries()) {
      const data = this.#store.data(number);
      bytes.set(data, at);
      at += data.length;
      ends[index] = at;
    }
    return { bytes, ends };
  }
}
