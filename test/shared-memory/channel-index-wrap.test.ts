/** The indices of a ring are counted modulo 2^32: nothing happens when they become negative, or begin again at 0. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedChannel } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { settlesSoon } from '../support/sockets.js';

const BYTES = 1 << 24;
const LONGEST = BYTES / 2 - 8;

/** Moves both indices from one position to another, without writing the contents. */
async function advance(a: SharedChannel, b: SharedChannel, from: number, to: number): Promise<void> {
  for (let at = from; at < to; ) {
    const record = Math.min(to - at, BYTES - (at % BYTES), LONGEST + 8);
    a.lease(record - 8).send();
    (await b.borrow()).release();
    at += record;
  }
}

/** Where the indices, as signed numbers, become negative, begin again at 0, and become negative again. */
const WRAPS = [2 ** 31, 2 ** 32, 3 * 2 ** 31];

test('messages, a full ring, and borrowed memory, where the indices wrap', async () => {
  using ends = await channelPair({ bytes: BYTES });
  const { a, b } = ends;
  let position = 0;
  for (const wrap of WRAPS) {
    await advance(a, b, position, wrap - BYTES / 2);
    const part = Buffer.alloc((1 << 20) - 8, 'p');
    assert.equal(fillRing(a, part.length), 16);
    const waiting = a.send('waits');
    assert.equal(await settlesSoon(waiting), false);
    const borrowed = [];
    for (let i = 0; i < 12; i++) borrowed.push(await b.borrow());
    for (const each of borrowed.slice(1)) each.release();
    assert.equal(await settlesSoon(waiting), false);
    assert.equal(borrowed[0]?.data.length, part.length);
    borrowed[0]?.release();
    assert.equal(await waiting, 5);
    for (let i = 0; i < 4; i++) assert.equal((await b.receiveMessage()).data.length, part.length);
    assert.equal(String((await b.receiveMessage()).data), 'waits');
    assert.equal(b.tryReceive(Buffer.alloc(1)), null);
    position = wrap + BYTES / 2 + 16;
  }
});

test('the limit of descriptors on their way, where the indices wrap', async () => {
  using ends = await channelPair({ bytes: BYTES });
  const { a, b } = ends;
  let position = 0;
  for (const wrap of WRAPS) {
    // The records of 16 bytes begin on both sides of the wrap, and at it.
    await advance(a, b, position, wrap - 64);
    for (let i = 0; i < 6; i++) await a.sendWithFds(`${i}`, Array(40).fill(0));
    const waiting = a.sendWithFds('waits', Array(14).fill(0));
    assert.equal(await settlesSoon(waiting), false);
    a.cancel();
    await assert.rejects(waiting, { code: 'ECANCELED' });
    await a.sendWithFds('6', Array(13).fill(0));
    for (let i = 0; i < 7; i++) {
      const { data, fds } = await b.receiveMessage({ maxFds: 253 });
      assert.deepEqual([String(data), fds.length], [`${i}`, i < 6 ? 40 : 13]);
      for (const fd of fds) fd.close();
    }
    position = wrap - 64 + 7 * 16;
  }
});
