/** How a session is looked at: the filter, the search, the chosen message, the pause. */
import type { Direction } from '../../frames.js';
import { type ContentQuery, parseQuery, QueryError } from '../filter/content-query.js';
import type { OpenTester } from '../filter/content-tester.js';
import type { Criteria } from '../filter/criteria.js';
import { FilteredRows } from '../filter/filtered-rows.js';
import { parseSize } from '../format/size.js';
import { LatencyStatistics } from '../statistics/latency.js';
import type { Session } from './session.js';

/** The filter, as it is entered. */
export interface FilterInput {
  direction: Direction | undefined;
  /** Text, or a regular expression between slashes. */
  text: string;
  minSize: string;
  maxSize: string;
  descriptorsOnly: boolean;
}

export const NO_FILTER: FilterInput = {
  direction: undefined,
  text: '',
  minSize: '',
  maxSize: '',
  descriptorsOnly: false,
};

export class View {
  readonly session: Session;
  readonly filtered: FilteredRows;
  readonly latency: LatencyStatistics;
  input: FilterInput = NO_FILTER;
  /** None: all. */
  readonly chosen = new Set<number>();
  search = '';
  /** What is wrong with the entered filter, and search. */
  filterError = '';
  searchError = '';
  selected: number | undefined;
  /** Counts the changes of the selection that the list has to show. */
  revealed = 0;
  /** Whether the list shows the newest messages. */
  isFollowing = true;
  readonly #found: FilteredRows;
  #pausedAt: number | undefined;

  constructor(session: Session, openTester: OpenTester, onChange: () => void) {
    this.session = session;
    this.filtered = new FilteredRows(session.store, openTester, onChange);
    this.#found = new FilteredRows(session.store, openTester, onChange);
    this.latency = new LatencyStatistics(session.store);
  }

  get isPaused(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** How many rows came during the pause. */
  get waiting(): number {
    const { store } = this.session;
    return this.#pausedAt === undefined ? 0 : store.next - Math.max(this.#pausedAt, store.first);
  }

  get isFiltering(): boolean {
    return this.filtered.isBusy(this.#end);
  }

  get isSearching(): boolean {
    return this.search !== '' && this.#found.isBusy(this.#end);
  }

  /** The rows that match the search; undefined without one. */
  get found(): FilteredRows | undefined {
    return this.search === '' || this.searchError !== '' ? undefined : this.#found;
  }

  get hasFilter(): boolean {
    return this.chosen.size > 0 || JSON.stringify(this.input) !== JSON.stringify(NO_FILTER);
  }

  setFilter(change: Partial<FilterInput>): void {
    this.input = { ...this.input, ...change };
    this.#apply();
  }

  setSearch(text: string): void {
    this.search = text;
    this.#applySearch();
  }

  /** @param only whether the other connections are no longer chosen */
  choose(connection: number, only: boolean): void {
    const wasChosen = this.chosen.has(connection);
    const wasOnly = wasChosen && this.chosen.size === 1;
    if (only) this.chosen.clear();
    if (only ? wasOnly : wasChosen) this.chosen.delete(connection);
    else this.chosen.add(connection);
    this.#applyChoice();
  }

  chooseAll(): void {
    this.chosen.clear();
    this.#applyChoice();
  }

  removeFilter(): void {
    this.input = NO_FILTER;
    this.chosen.clear();
    this.#applyChoice();
  }

  select(number: number | undefined): void {
    this.selected = number;
    const { rows } = this.filtered;
    if (number === undefined) return;
    this.revealed++;
    this.isFollowing = rows.length > 0 && number === rows.at(rows.length - 1) && this.isFollowing;
  }

  /** Selects the message that many rows further down. */
  move(rows: number): void {
    const list = this.filtered.rows;
    if (list.length === 0) return;
    let index: number;
    if (this.selected === undefined) index = rows > 0 && !this.isFollowing ? 0 : list.length - 1;
    else if (list.indexOf(this.selected) >= 0) index = list.indexOf(this.selected) + rows;
    else index = list.lowerBound(this.selected) + (rows > 0 ? rows - 1 : rows);
    this.select(list.at(Math.max(0, Math.min(index, list.length - 1))));
  }

  moveToFirst(): void {
    if (this.filtered.rows.length > 0) this.select(this.filtered.rows.at(0));
  }

  moveToLast(): void {
    // Rows may have come since the page was drawn.
    this.filtered.advance(() => true, this.#end);
    const { rows } = this.filtered;
    if (rows.length > 0) this.select(rows.at(rows.length - 1));
    this.isFollowing = true;
  }

  /** Selects the next or the previous message that matches the search, around the end. */
  moveToFound(step: 1 | -1): void {
    const rows = this.found?.rows;
    if (rows === undefined || rows.length === 0) return;
    let index: number;
    if (this.selected === undefined) index = step === 1 ? 0 : -1;
    else if (step === 1) index = rows.lowerBound(this.selected + 1);
    else index = rows.lowerBound(this.selected) - 1;
    this.select(rows.at((index + rows.length) % rows.length));
  }

  /** Selects the answer of a request, or the request of an answer. */
  moveToPartner(): void {
    const { store } = this.session;
    if (this.selected === undefined || !store.has(this.selected)) return;
    const partner = store.partner(this.selected);
    if (partner !== undefined) this.select(partner);
  }

  pause(): void {
    this.#pausedAt = this.isPaused ? undefined : this.session.store.next;
  }

  clear(): void {
    this.session.clear();
    this.selected = undefined;
    this.isFollowing = true;
    for (const number of this.chosen) if (!this.session.connections.has(number)) this.chosen.delete(number);
    if (this.isPaused) this.#pausedAt = this.session.store.next;
    this.#applyChoice();
  }

  /** Filters, searches and counts for a while. Returns whether it can go on at once. */
  advance(isTimeOver: () => boolean): boolean {
    const { store } = this.session;
    if (this.selected !== undefined && !store.has(this.selected)) this.selected = undefined;
    const end = this.#end;
    let isBusy = this.filtered.advance(isTimeOver, end);
    if (this.search !== '' && this.searchError === '')
      isBusy = this.#found.advance(isTimeOver, end) || isBusy;
    return this.latency.advance(isTimeOver, end) || isBusy;
  }

  get #end(): number {
    return this.#pausedAt === undefined
      ? this.session.store.next
      : Math.max(this.#pausedAt, this.session.store.first);
  }

  get #criteria(): Criteria {
    const { direction, minSize, maxSize, descriptorsOnly } = this.input;
    return {
      direction,
      connections: this.chosen.size === 0 ? undefined : new Set(this.chosen),
      minSize: parseSize(minSize),
      maxSize: parseSize(maxSize),
      descriptorsOnly,
    };
  }

  #applyChoice(): void {
    this.latency.choose(this.chosen.size === 0 ? undefined : new Set(this.chosen));
    this.#apply();
  }

  #apply(): void {
    const { text, minSize, maxSize } = this.input;
    this.filterError = '';
    for (const size of [minSize, maxSize])
      if (size.trim() !== '' && parseSize(size) === undefined)
        this.filterError = `"${size}" is no size: 100, 4k, 1.5M`;
    const query = this.#parse(text, (reason) => {
      this.filterError = reason;
    });
    this.filtered.filter(this.#criteria, query === undefined ? [] : [query]);
    if (this.selected !== undefined) this.revealed++;
    this.#applySearch();
  }

  #applySearch(): void {
    this.searchError = '';
    const query = this.#parse(this.search, (reason) => {
      this.searchError = reason;
    });
    const filter = this.#parse(this.input.text, () => {});
    this.#found.filter(
      this.#criteria,
      [filter, query].filter((each) => each !== undefined),
    );
  }

  #parse(text: string, onError: (reason: string) => void): ContentQuery | undefined {
    try {
      return parseQuery(text);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      onError(error.message);
      return undefined;
    }
  }
}
