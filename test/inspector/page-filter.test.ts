/** The filter of the page: criteria, text and regular expressions, in slices of time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchBatch } from '../../cli/inspector/page/filter/batch-matching.js';
import { parseQuery, QueryError } from '../../cli/inspector/page/filter/content-query.js';
import {
  type ContentTester,
  type OpenTester,
  TooSlow,
} from '../../cli/inspector/page/filter/content-tester.js';
import { ALL, type Criteria } from '../../cli/inspector/page/filter/criteria.js';
import { FilteredRows } from '../../cli/inspector/page/filter/filtered-rows.js';
import { matcherOf } from '../../cli/inspector/page/filter/matcher.js';
import { HAS_DESCRIPTORS, NO_DIRECTION, TO_CLIENT } from '../../cli/inspector/page/messages/flags.js';
import { MessageStore } from '../../cli/inspector/page/messages/store.js';

/** In place of a worker. */
const openTester: OpenTester = (queries) => ({
  async test(batch) {
    return matchBatch(batch, queries.map(matcherOf));
  },
  close() {},
});

const never = () => false;

function numbers({ rows }: FilteredRows): number[] {
  return Array.from({ length: rows.length }, (_, index) => rows.at(index));
}

async function finish(filtered: FilteredRows, store: MessageStore): Promise<void> {
  while (filtered.isBusy(store.next)) {
    filtered.advance(never, store.next);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function matches(query: string, text: string): boolean {
  return matcherOf(parseQuery(query)!)(Buffer.from(text));
}

/** Ten rows: each third to the client, the fifth with descriptors, the last is an event. */
function tenRows(): MessageStore {
  const store = new MessageStore();
  for (let number = 0; number < 10; number++) {
    store.push(
      {
        time: number,
        connection: 1 + (number % 2),
        flags:
          (number % 3 === 0 ? TO_CLIENT : 0) |
          (number === 5 ? HAS_DESCRIPTORS : 0) |
          (number === 9 ? NO_DIRECTION : 0),
        event: number === 9 ? 1 : 0,
        credentials: 0,
        data: Buffer.from('x'.repeat(number)),
      },
      number === 5 ? [{ kind: 'file', target: '/x', access: 'read' }] : [],
    );
  }
  return store;
}

describe('a query', () => {
  it('is text, in both cases of letters', () => {
    assert.ok(matches('Hello', 'say hELLO'));
    assert.ok(matches('ö', 'Köln'));
    assert.ok(!matches('hello', 'hell o'));
    assert.ok(matches('aab', 'aaaaab'));
    assert.ok(!matches('longer than the text', 'text'));
    assert.ok(matches('a.c', 'xa.cx'));
    assert.ok(!matches('a.c', 'abc'));
  });

  it('finds text wherever it is', () => {
    const text = 'abracadabra, abracadabra';
    for (let start = 0; start < text.length; start++)
      for (let end = start + 1; end <= text.length; end++)
        assert.ok(matches(text.slice(start, end), text), text.slice(start, end));
  });

  it('is a regular expression between slashes', () => {
    assert.ok(matches('/^a.c$/', 'abc'));
    assert.ok(!matches('/^a.c$/', 'ABC'));
    assert.ok(matches('/^a.c$/i', 'ABC'));
    assert.ok(matches('/a/g', 'a') && matches('/ö/u', 'ö'));
    assert.ok(matches('/', 'a/b') && matches('//', 'a//b'));
  });

  it('that is invalid is refused', () => {
    assert.throws(() => parseQuery('/(/'), QueryError);
    assert.throws(() => parseQuery('/a/xyz'), QueryError);
    assert.equal(parseQuery(''), undefined);
  });

  it('finds text in bytes that are no text', () => {
    const matcher = matcherOf(parseQuery('ping')!);
    assert.ok(matcher(Buffer.from([0, 255, 254, 0x70, 0x49, 0x6e, 0x47, 128])));
  });
});

describe('a filter', () => {
  const cases: [title: string, criteria: Partial<Criteria>, expected: number[]][] = [
    ['nothing', {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['a direction', { direction: 'to client' }, [0, 3, 6]],
    ['the other direction', { direction: 'to server' }, [1, 2, 4, 5, 7, 8]],
    ['a connection', { connections: new Set([2]) }, [1, 3, 5, 7, 9]],
    ['sizes, which events do not have', { minSize: 3, maxSize: 9 }, [3, 4, 5, 6, 7, 8]],
    ['descriptors', { descriptorsOnly: true }, [5]],
    ['several things', { direction: 'to server', connections: new Set([2]), minSize: 5 }, [5, 7]],
  ];
  for (const [title, criteria, expected] of cases) {
    it(`by ${title}`, () => {
      const store = tenRows();
      const filtered = new FilteredRows(store, openTester, () => {});
      filtered.filter({ ...ALL, ...criteria }, []);
      filtered.advance(never, store.next);
      assert.deepEqual(numbers(filtered), expected);
    });
  }

  it('by contents keeps the order, with several batches', async () => {
    const store = new MessageStore();
    const row = { time: 0, connection: 1, flags: 0, event: 0, credentials: 0 };
    const count = 50_000;
    for (let number = 0; number < count; number++)
      store.push({ ...row, data: Buffer.from(`number ${number}.`) });
    const filtered = new FilteredRows(store, openTester, () => {});
    filtered.filter(ALL, [parseQuery('7.')!, parseQuery('/^number 1/')!]);
    await finish(filtered, store);
    const expected = Array.from({ length: count }, (_, number) => number).filter((number) =>
      /^1.*7$|^17$/.test(String(number)),
    );
    assert.deepEqual(numbers(filtered), expected);
    // New rows are tested, too.
    store.push({ ...row, data: Buffer.from('number 1007.') });
    await finish(filtered, store);
    assert.equal(filtered.rows.at(filtered.rows.length - 1), count);
  });

  it('stops when the time is over, and goes on later', () => {
    const store = new MessageStore();
    for (let number = 0; number < 10_000; number++)
      store.push({ time: 0, connection: 1, flags: 0, event: 0, credentials: 0, data: Buffer.alloc(0) });
    const filtered = new FilteredRows(store, openTester, () => {});
    filtered.filter(ALL, []);
    let turns = 1;
    while (filtered.advance(() => true, store.next)) turns++;
    assert.ok(turns > 10);
    assert.equal(filtered.rows.length, 10_000);
    assert.equal(filtered.progress, 1);
  });

  it('that is changed gets no answers to the one before', async () => {
    const store = tenRows();
    const answers: (() => void)[] = [];
    let closed = 0;
    const slow: OpenTester = (): ContentTester => ({
      test: ({ ends }) =>
        new Promise((resolve) => answers.push(() => resolve(new Uint8Array(ends.length).fill(1)))),
      close: () => {
        closed++;
      },
    });
    const filtered = new FilteredRows(store, slow, () => {});
    filtered.filter(ALL, [parseQuery('x')!]);
    filtered.advance(never, store.next);
    assert.ok(filtered.isBusy(store.next));
    filtered.filter({ ...ALL, descriptorsOnly: true }, []);
    assert.equal(closed, 1);
    filtered.advance(never, store.next);
    for (const answer of answers) answer();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(numbers(filtered), [5]);
  });

  it('that takes too long says so, and stops', async () => {
    const store = tenRows();
    const filtered = new FilteredRows(
      store,
      () => ({ test: () => Promise.reject(new TooSlow('slow')), close() {} }),
      () => {},
    );
    filtered.filter(ALL, [parseQuery('x')!]);
    await finish(filtered, store);
    assert.equal(filtered.error?.message, 'slow');
    assert.equal(filtered.rows.length, 0);
    assert.ok(!filtered.isBusy(store.next));
  });

  it('forgets rows that were dropped', () => {
    const store = new MessageStore({ rows: 20_000, bytes: 1e9 });
    const filtered = new FilteredRows(store, openTester, () => {});
    filtered.filter(ALL, []);
    for (let number = 0; number < 100_000; number++) {
      store.push({ time: 0, connection: 1, flags: 0, event: 0, credentials: 0, data: Buffer.alloc(0) });
      if (number % 999 === 0) filtered.advance(never, store.next);
    }
    filtered.advance(never, store.next);
    assert.equal(filtered.rows.at(0), store.first);
    assert.equal(filtered.rows.length, store.length);
    assert.equal(filtered.rows.removed, store.first);
  });
});
