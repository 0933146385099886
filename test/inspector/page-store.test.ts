/** The page of the inspector keeps rows in columns, within bounds, and pairs requests with answers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HAS_DESCRIPTORS, TO_CLIENT } from '../../cli/inspector/page/messages/flags.js';
import { NumberList } from '../../cli/inspector/page/messages/number-list.js';
import { Pairing } from '../../cli/inspector/page/messages/pairing.js';
import { MessageStore } from '../../cli/inspector/page/messages/store.js';

const row = (time: number, data: Uint8Array, flags = 0) => ({
  time,
  connection: 1 + (time % 3),
  flags,
  event: 0,
  credentials: time % 5,
  data,
});

const contents = (time: number) => Buffer.from(`message ${time} `.repeat(time % 7));

describe('the rows of the page', () => {
  it('are kept as they came, over many segments', () => {
    const store = new MessageStore();
    const count = 100_000;
    for (let time = 0; time < count; time++) store.push(row(time, contents(time)));
    assert.equal(store.length, count);
    assert.equal(store.messages, count);
    // Also backwards and in jumps.
    for (let step = 0; step < count; step++) {
      const number = (count - 1 - step * 7919 + count * 7919) % count;
      assert.equal(store.time(number), number);
      assert.equal(store.connection(number), 1 + (number % 3));
      assert.equal(store.credentials(number), number % 5);
      assert.equal(store.size(number), contents(number).length);
    }
    for (const number of [0, 1, 16_383, 16_384, 50_000, count - 1])
      assert.deepEqual(Buffer.from(store.data(number)), contents(number));
  });

  it('of any size fit, and empty ones', () => {
    const store = new MessageStore();
    const sizes = [0, 10_000_000, 0, 1, 4_194_304, 4_194_305, 65_537];
    for (const [index, size] of sizes.entries()) store.push(row(index, Buffer.alloc(size, index)));
    for (const [number, size] of sizes.entries()) {
      assert.equal(store.size(number), size);
      assert.ok(Buffer.alloc(size, number).equals(store.data(number)));
    }
  });

  it('are dropped, the oldest first, when there are too many', () => {
    const store = new MessageStore({ rows: 40_000, bytes: 1e9 });
    const files = [{ kind: 'file', target: '/etc/passwd', access: 'read' }];
    for (let time = 0; time < 100_000; time++)
      store.push(row(time, contents(time), HAS_DESCRIPTORS), time % 1000 === 0 ? files : []);
    assert.ok(store.length <= 40_000 && store.length > 20_000);
    assert.equal(store.dropped, store.first);
    assert.equal(store.first + store.length, 100_000);
    assert.throws(() => store.time(store.first - 1), RangeError);
    assert.equal(store.time(store.first), store.first);
    assert.deepEqual(store.descriptors(99_000), files);
    assert.deepEqual(store.descriptors(0), []);
    assert.equal(store.messages, store.length);
  });

  it('are dropped when their contents are too long', () => {
    const store = new MessageStore({ rows: 1e9, bytes: 50_000_000 });
    for (let time = 0; time < 1000; time++) store.push(row(time, Buffer.alloc(200_000, time)));
    assert.ok(store.bytes <= 50_000_000);
    let bytes = 0;
    for (let number = store.first; number < store.next; number++) bytes += store.size(number);
    assert.equal(store.bytes, bytes);
    assert.equal(store.data(999)[7], 999 % 256);
  });

  it('remember request and answer, until one of them is dropped', () => {
    const store = new MessageStore({ rows: 20_000, bytes: 1e9 });
    const request = store.push(row(100, contents(100)));
    const answer = store.push(row(350, contents(350), TO_CLIENT));
    store.pair(request, answer, 250);
    assert.equal(store.partner(request), answer);
    assert.equal(store.partner(answer), request);
    assert.equal(store.delay(request), 250);
    assert.equal(store.delay(answer), 250);
    for (let time = 0; time < 16_382; time++) store.push(row(time, contents(1)));
    const late = store.push(row(20_000, contents(1), TO_CLIENT));
    store.pair(request, late, 19_900);
    for (let time = 0; time < 10_000; time++) store.push(row(time, contents(1)));
    assert.ok(!store.has(request));
    assert.equal(store.partner(late), undefined);
    assert.equal(store.delay(late), 19_900);
    assert.equal(store.delay(late + 1), -1);
  });

  it('have new numbers after they were cleared', () => {
    const store = new MessageStore();
    for (let time = 0; time < 10; time++) store.push(row(time, contents(time)));
    store.clear();
    assert.deepEqual([store.length, store.bytes, store.messages], [0, 0, 0]);
    assert.equal(store.push(row(77, contents(3))), 10);
    assert.equal(store.time(10), 77);
  });
});

describe('requests and answers', () => {
  it('are paired in their order', () => {
    const pairing = new Pairing();
    assert.equal(pairing.answer(), undefined);
    for (let number = 0; number < 5; number++) pairing.request(number, number * 10);
    for (let number = 0; number < 5; number++)
      assert.deepEqual(pairing.answer(), { number, time: number * 10 });
    assert.equal(pairing.answer(), undefined);
  });

  it('without answers do not fill the memory', () => {
    const pairing = new Pairing();
    for (let number = 0; number < 100_000; number++) pairing.request(number, number);
    assert.equal(pairing.answer()?.number, 90_000);
  });
});

describe('a list of numbers', () => {
  it('grows at the end, shrinks at the start, and is searched', () => {
    const list = new NumberList();
    for (let number = 0; number < 5000; number++) list.push(3 * number);
    list.dropBefore(6001);
    assert.equal(list.removed, 2001);
    assert.equal(list.length, 2999);
    assert.equal(list.at(0), 6003);
    for (let number = 5000; number < 50_000; number++) {
      list.push(3 * number);
      if (number % 100 === 0) list.dropBefore(3 * number - 3000);
    }
    assert.equal(list.indexOf(149_997), list.length - 1);
    assert.equal(list.indexOf(149_996), -1);
    assert.equal(list.lowerBound(149_995), list.length - 1);
    assert.equal(list.lowerBound(1e9), list.length);
    assert.throws(() => list.at(list.length), RangeError);
  });
});
