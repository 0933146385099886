/** `wait` of a channel reports that a receive or a send would not wait, and has no effect; counters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageBatch, MessageFlag } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { settlesSoon } from '../support/sockets.js';

test('a wait for a message takes none', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const waiting = b.wait('read');
  assert.equal(await settlesSoon(waiting), false);
  await a.sendWithFds('x', [0]);
  assert.equal(await waiting, undefined);
  await b.wait('read');
  const { data, fds } = await b.receiveMessage({ maxFds: 1 });
  assert.deepEqual([String(data), fds.length], ['x', 1]);
  fds[0]?.close();
  assert.equal(await settlesSoon(b.wait('read')), false);
});

test('a wait for a message ends with the end of file, and with a peer that closes', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const waiting = b.wait('read');
  a.shutdown('send');
  await waiting;
  await b.wait('read');
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  const closed = a.wait('read');
  b.close();
  await closed;
  await assert.rejects(b.wait('read'), { code: 'EBADF', syscall: 'poll' });
});

test('a wait for room regards the length, and what would fail', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  fillRing(a, 504);
  for (const bytes of [-1, 2 ** 30 + 1]) {
    assert.throws(() => a.wait('write', { bytes }), { code: 'ERR_OUT_OF_RANGE' });
  }
  assert.throws(() => a.wait('both' as 'read'), { code: 'ERR_INVALID_ARG_VALUE' });
  // Longer than half of the ring: a send would fail at once.
  await a.wait('write', { bytes: 2041 });
  const short = a.wait('write', { bytes: 504 });
  assert.equal(await settlesSoon(short), false);
  await b.receiveMany({ max: 5 });
  await short;
  const long = a.wait('write', { bytes: 2040 });
  await b.receiveMany({ max: 1 });
  await long;
  assert.ok(a.trySend(Buffer.alloc(2040)));
});

test('a wait for room ends with the lease before it, with shutdown, and with a peer that closes', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const lease = a.lease(5);
  const behind = a.wait('write');
  assert.equal(await settlesSoon(behind), false);
  lease.send();
  await behind;
  fillRing(a, 504);
  const waiting = a.wait('write', { bytes: 504 });
  assert.equal(await settlesSoon(waiting), false);
  a.shutdown('send');
  await waiting;
  await assert.rejects(a.send('x'), { code: 'EPIPE' });
  fillRing(b, 504);
  const gone = b.wait('write', { bytes: 504 });
  assert.equal(await settlesSoon(gone), false);
  a.close();
  await gone;
  await assert.rejects(b.send('x'), { code: 'EPIPE' });
});

test('a wait that is cancelled fails as one of a socket does', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a } = ends;
  fillRing(a, 504);
  const waiting = [a.wait('read'), a.wait('write', { bytes: 504 })];
  a.cancel();
  for (const each of waiting) await assert.rejects(each, { code: 'ECANCELED', syscall: 'poll' });
});

test('counters count what was sent and received, and what waits', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const batch = new MessageBatch({ messages: 3, bytes: 10 });
  batch.push('12');
  batch.push('');
  const none = { messagesSent: 0, bytesSent: 0, messagesReceived: 0, bytesReceived: 0 };
  const idle = { pendingSends: 0, pendingReceives: 0 };
  assert.deepEqual(a.counters, { ...none, ...idle });
  await a.send('1');
  await a.sendWithFds('22', [0]);
  await a.sendMany(['333', '']);
  await a.sendBatch(batch);
  a.trySend('1');
  a.sendSync('22', { fds: [0] });
  a.lease(9).send(3);
  a.lease(9).cancel();
  await assert.rejects(a.send(Buffer.alloc(2041)), { code: 'EMSGSIZE' });
  await assert.rejects(a.sendWithFds('x', [99_999]), { code: 'EBADF' });
  const total = 1 + 2 + 3 + 0 + 2 + 0 + 1 + 2 + 3;
  assert.deepEqual(a.counters, { ...none, ...idle, messagesSent: 9, bytesSent: total });

  const buffer = Buffer.alloc(9);
  await b.receive(buffer, { flags: MessageFlag.peek });
  await assert.rejects(b.receive(Buffer.alloc(0)), { code: 'EMSGSIZE' });
  assert.equal(b.counters.messagesReceived, 0);
  await b.receive(buffer);
  await b.receiveWithFds(buffer, 0);
  await b.receiveMany({ max: 2 });
  batch.clear();
  assert.equal(await b.receiveBatch(batch), 3);
  b.receiveMessageSync();
  const borrowed = await b.borrow();
  assert.deepEqual(b.counters, { ...none, ...idle, messagesReceived: 9, bytesReceived: total });
  borrowed.release();
  assert.deepEqual(b.counters, { ...none, ...idle, messagesReceived: 9, bytesReceived: total });

  fillRing(a);
  const waiting: Promise<unknown>[] = [
    a.send(Buffer.alloc(80)),
    a.send(Buffer.alloc(80)),
    a.wait('write', { bytes: 80 }),
  ];
  waiting.push(a.receiveMessage().then(() => 0));
  waiting.push(a.wait('read'));
  const all = Promise.allSettled(waiting);
  assert.equal(a.counters.pendingSends, 3);
  assert.equal(a.counters.pendingReceives, 2);
  a.cancel();
  await all;
  assert.deepEqual([a.counters.pendingSends, a.counters.pendingReceives], [0, 0]);
});
