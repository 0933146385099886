/** Memory of a channel that is lent: leases for messages to be sent, borrowed messages that were received. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelPair, fillRing } from '../support/channels.js';
import { settlesSoon } from '../support/sockets.js';

test('a lease is a message that is made where it is sent', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const lease = a.lease(100);
  assert.equal(lease.data.length, 100);
  lease.data.fill('x');
  assert.equal(b.tryReceive(Buffer.alloc(100)), null);
  assert.equal(lease.send(40), 40);
  assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(40, 'x'));
  assert.equal(lease.data.length, 0);
  assert.throws(() => lease.send(), { code: 'ERR_INVALID_STATE' });
  const empty = a.lease(0);
  empty.send();
  assert.equal((await b.receiveMessage()).data.length, 0);
  assert.equal(a.counters.messagesSent, 2);
  assert.equal(a.counters.bytesSent, 40);
  assert.throws(() => a.lease(-1), { code: 'ERR_OUT_OF_RANGE' });
  using last = a.lease(5);
  assert.throws(() => last.send(6), { code: 'ERR_OUT_OF_RANGE' });
  assert.equal(last.data.length, 5);
});

test('later sends wait until the lease is sent or cancelled', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const lease = a.lease(10);
  assert.throws(() => a.lease(10), { code: 'EAGAIN' });
  const later = a.send('later');
  assert.equal(await settlesSoon(later), false);
  assert.equal(a.trySend('x'), false);
  assert.throws(() => a.sendSync('x'), { code: 'EBUSY' });
  lease.data.write('leased');
  lease.send(6);
  await later;
  assert.deepEqual((await b.receiveMany()).map(String), ['leased', 'later']);

  const cancelled = a.lease(10);
  const next = a.send('next');
  cancelled.cancel();
  cancelled.cancel();
  await next;
  assert.equal(String((await b.receiveMessage()).data), 'next');
});

test('without room, a lease throws, and wait reports when there is room', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const filled = fillRing(a);
  assert.throws(() => a.lease(2000), { code: 'EAGAIN' });
  const waiting = a.wait('write', { bytes: 2000 });
  assert.equal(await settlesSoon(waiting), false);
  for (let i = 0; i < filled; i++) await b.receiveMessage();
  await waiting;
  const lease = a.lease(2000);
  lease.data.fill('y');
  lease.send();
  assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(2000, 'y'));
  await a.wait('write');
});

test('a lease at the end of the ring is in one piece', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  for (let step = 0; step < 300; step++) {
    const lease = a.lease(1000 + step);
    lease.data.fill(step);
    lease.send();
    const borrowed = await b.borrow();
    assert.deepEqual(borrowed.data, Buffer.alloc(1000 + step, step));
    borrowed.release();
  }
});

test('a borrowed message stays until it is released', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  await a.sendMany([Buffer.alloc(1000, 1), Buffer.alloc(1000, 2), Buffer.alloc(1000, 3)]);
  const first = await b.borrow();
  const second = await b.borrow();
  assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(1000, 3));
  const sent = a.send(Buffer.alloc(1500, 4));
  second.release();
  assert.equal(second.data.length, 0);
  assert.equal(await settlesSoon(sent), false);
  assert.deepEqual(first.data, Buffer.alloc(1000, 1));
  first.release();
  first.release();
  await sent;
  assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(1500, 4));
  assert.equal(b.counters.messagesReceived, 4);
});

test('a release gives room to a send that waits while a receive waits, too', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  for (const bytes of [392, 2000, 1592]) await a.send(Buffer.alloc(bytes));
  const [first] = [await b.borrow(), await b.borrow(), await b.borrow()];
  // It would be woken at half free, and the other two occupy more than half.
  const sent = a.send(Buffer.alloc(300));
  const received = b.receiveMessage();
  assert.equal(await settlesSoon(received), false);
  first.release();
  assert.equal(await settlesSoon(sent), true);
  assert.equal((await received).data.length, 300);
});

test('borrowed and leased memory is gone after the channel is closed', async () => {
  const { a, b } = await channelPair();
  await a.send('message');
  const borrowed = await b.borrow();
  const lease = a.lease(10);
  const views = [borrowed.data, lease.data];
  a.close();
  b.close();
  for (const view of views) assert.equal(view.length, 0);
  assert.equal(borrowed.data.length, 0);
  borrowed.release();
  lease.cancel();
  assert.throws(() => lease.send(), { code: 'ERR_INVALID_STATE' });
  await assert.rejects(b.borrow(), { code: 'EBADF' });
  assert.throws(() => a.lease(1), { code: 'EBADF' });
});

test('a lease to a peer that has closed its end', async () => {
  using ends = await channelPair();
  const lease = ends.a.lease(10);
  ends.b.close();
  assert.throws(() => lease.send(), { code: 'EPIPE' });
  assert.throws(() => ends.a.lease(10), { code: 'EPIPE' });
});
