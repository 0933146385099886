/** Iterators over the messages of a channel: they lose no message, and end with the channel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelPair } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';

test('leaving a loop loses no message, and the channel stays open', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendMany(['1', '2', '3', '4']);
  for await (const data of b) {
    assert.equal(String(data), '1');
    break;
  }
  for await (const { data } of b.messages()) {
    assert.equal(String(data), '2');
    break;
  }
  const buffer = Buffer.alloc(1);
  await b.receive(buffer);
  assert.equal(String(buffer), '3');
  assert.equal(b.isOpen, true);
});

test('a step that waits when the iterator is left takes no message', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const iterator = b.messages();
  const step = iterator.next();
  await iterator.return?.();
  assert.deepEqual(await step, { done: true, value: undefined });
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  const next = b.receiveMessage();
  await a.send('for the next receive');
  assert.equal(String((await next).data), 'for the next receive');
});

test('an abort ends the iteration, and takes no message', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const controller = new AbortController();
  const iterator = b.messages({ signal: controller.signal });
  await a.send('1');
  assert.equal(String((await iterator.next()).value?.data), '1');
  const step = iterator.next();
  controller.abort(new Error('reason'));
  await assert.rejects(step, { code: 'ABORT_ERR' });
  await a.send('2');
  assert.equal((await iterator.next()).done, true);
  assert.equal(String((await b.receiveMessage()).data), '2');
});

test('several iterators and receives get the messages in the order of their calls', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const iterators = [b[Symbol.asyncIterator](), b[Symbol.asyncIterator]()] as const;
  const steps = [
    iterators[0].next().then(({ value }) => `first ${value}`),
    iterators[1].next().then(({ value }) => `second ${value}`),
    b.receiveMessage().then(({ data }) => `receive ${data}`),
    iterators[0].next().then(({ value }) => `first ${value}`),
  ];
  await a.sendMany(['1', '2', '3', '4']);
  assert.deepEqual(await Promise.all(steps), ['first 1', 'second 2', 'receive 3', 'first 4']);
});

test('close, cancel, and a peer that closes with unread messages end a loop with an error', async () => {
  const { a, b } = await channelPair();
  const loop = async () => {
    for await (const _ of b);
  };
  const cancelled = loop();
  b.cancel();
  await assert.rejects(cancelled, { code: 'ECANCELED' });
  await b.send('not read');
  const reset = loop();
  a.close();
  await assert.rejects(reset, { code: 'ECONNRESET' });
  await loop();
  const { a: c, b: d } = await channelPair();
  const closed = (async () => {
    for await (const _ of d);
  })();
  d.close();
  await assert.rejects(closed, { code: 'ECANCELED' });
  await assert.rejects(d[Symbol.asyncIterator]().next(), { code: 'EBADF' });
  b.close();
  c.close();
});

test('descriptors that a loop does not ask for are closed', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const before = openDescriptors().size;
  for (let i = 0; i < 10; i++) await a.sendWithFds('x', [0, 1]);
  a.shutdown('send');
  let count = 0;
  for await (const { fds, controlTruncated } of b.messages({ maxFds: 1 })) {
    assert.deepEqual([fds.length, controlTruncated], [1, true]);
    fds[0]?.close();
    if (++count === 5) break;
  }
  for await (const _ of b) count++;
  assert.equal(count, 10);
  assert.equal(openDescriptors().size, before);
});
