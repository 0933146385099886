/** Back-pressure on a channel: sends wait while the ring is full, and what waits can be cancelled without effect. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { channelPair, fillRing } from '../support/channels.js';
import { settlesSoon } from '../support/sockets.js';

/** Longer than the room that `fillRing` leaves. */
const LONG = 'x'.repeat(100);

test('a send waits while the ring is full, and goes on when there is room', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  // 64 bytes and 8 of the header: 56 of 72 bytes fit, and the last 64 bytes are padding.
  assert.equal(fillRing(a, 64), 56);
  const sent = a.send(Buffer.alloc(100, 'x'));
  assert.equal(await settlesSoon(sent), false);
  assert.equal(a.counters.pendingSends, 1);
  for (let i = 0; i < 56; i++) assert.equal((await b.receiveMessage()).data.length, 64);
  assert.equal(await sent, 100);
  assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(100, 'x'));
});

test('a send goes on although the receiver keeps its last messages borrowed', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  await a.send(Buffer.alloc(2000));
  await a.send(Buffer.alloc(2000));
  const small = a.send('small'.padEnd(100));
  assert.equal(await settlesSoon(small), false);
  const first = await b.borrow();
  const second = await b.borrow();
  const third = b.receiveMessage();
  first.release();
  assert.equal(String((await third).data).trim(), 'small');
  assert.equal(await small, 100);
  second.release();
});

test('an aborted or cancelled send has sent nothing', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const filled = fillRing(a);
  const controller = new AbortController();
  const aborted = [
    a.send(LONG, { signal: controller.signal }),
    a.sendWithFds(LONG, [0], { signal: controller.signal }),
    a.sendMany([LONG], { signal: controller.signal }),
    a.wait('write', { bytes: 100, signal: controller.signal }),
  ];
  const kept = a.send('kept');
  controller.abort();
  for (const each of aborted) await assert.rejects(each, { code: 'ABORT_ERR' });
  for (let i = 0; i < filled; i++) await b.receiveMessage();
  await kept;
  assert.equal(String((await b.receiveMessage()).data), 'kept');

  const again = fillRing(a);
  const cancelled = [a.send(LONG), a.sendWithFds(LONG, [0])];
  a.cancel();
  for (const each of cancelled) await assert.rejects(each, { code: 'ECANCELED' });
  for (let i = 0; i < again; i++) await b.receiveMessage();
  await a.send('the next');
  assert.equal(String((await b.receiveMessage()).data), 'the next');
});

test('an aborted or cancelled receive has taken nothing', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = [
    b.receive(Buffer.alloc(9), { signal }),
    b.receiveMessage({ signal }),
    b.receiveMany({ signal }),
    b.borrow({ signal }),
    b.wait('read', { signal }),
  ];
  const kept = b.receiveMessage();
  controller.abort();
  for (const each of aborted) await assert.rejects(each, { code: 'ABORT_ERR' });
  await a.send('first');
  assert.equal(String((await kept).data), 'first');
  const cancelled = b.receiveMessage();
  b.cancel();
  await assert.rejects(cancelled, { code: 'ECANCELED' });
  await a.send('second');
  assert.equal(String((await b.receiveMessage()).data), 'second');
});

test('sendMany sends what fits, and the rest when there is room', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const messages = Array.from({ length: 5000 }, (_, i) => `message ${i}`);
  const sent = a.sendMany(messages);
  const received: string[] = [];
  while (received.length < messages.length) {
    const some = await b.receiveMany({ max: 10 });
    assert.ok(some.length >= 1 && some.length <= 10);
    received.push(...some.map(String));
  }
  assert.deepEqual(received, messages);
  assert.equal(await sent, messages.length);
});

test('an aborted sendMany reports how many messages it has sent', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const controller = new AbortController();
  const sent = a.sendMany(Array(1000).fill(Buffer.alloc(64)), { signal: controller.signal });
  assert.equal(await settlesSoon(sent), false);
  controller.abort();
  const error = await sent.catch((reason) => reason);
  assert.equal(error.code, 'ABORT_ERR');
  assert.equal(error.messagesSent, 56);
  for (let i = 0; i < 56; i++) await b.receiveMessage();
  assert.equal(b.tryReceive(Buffer.alloc(64)), null);
});

/** A sanitizer keeps freed memory. */
const sanitized = process.env['SEQPACKET_SANITIZED'] !== undefined && 'sanitized';

test('memory does not grow while messages go through', { skip: sanitized }, async () => {
  using ends = await channelPair({ bytes: 65_536 });
  const { a, b } = ends;
  const message = Buffer.alloc(1000);
  const run = async (count: number) => {
    const sending = (async () => {
      for (let i = 0; i < count; i++) await a.send(message);
    })();
    for (let i = 0; i < count; i++) await b.receive(message);
    await sending;
  };
  await run(20_000);
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  await run(60_000);
  globalThis.gc?.();
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 32 << 20, `${grown} bytes for 60,000,000 bytes of messages`);
});

test('a timer fires, and other channels are served, while one channel is flooded', async () => {
  using flooded = await channelPair();
  using other = await channelPair();
  let running = true;
  const buffer = Buffer.alloc(64);
  const flooding = (async () => {
    while (running) {
      await flooded.a.send(buffer);
      await flooded.b.receive(buffer);
    }
  })();
  const echo = (async () => {
    for await (const message of other.b) await other.b.send(message);
  })();
  for (let i = 0; i < 20; i++) {
    await other.a.send('x');
    await other.a.receive(buffer);
  }
  await sleep(10);
  running = false;
  await flooding;
  other.a.close();
  await echo;
});
