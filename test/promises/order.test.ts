/** Promise: sends go out, and receives are served and settle, in the order in which they were called. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSendQueue, socketPair } from '../support/sockets.js';

const COUNT = 1000;

function numbered(number: number): Buffer {
  const message = Buffer.alloc(64);
  message.writeInt32LE(number);
  return message;
}

test('waiting sends complete in their order, behind queued messages', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const settled: number[] = [];
  const sends = Array.from({ length: COUNT }, (_, index) =>
    ends.a.send(numbered(index)).then(() => settled.push(index)),
  );
  const buffer = Buffer.alloc(64);
  for (let i = 0; i < queued; i++) await ends.b.receive(buffer);
  for (let i = 0; i < COUNT; i++) {
    await ends.b.receive(buffer);
    assert.equal(buffer.readInt32LE(), i);
  }
  await Promise.all(sends);
  assert.deepEqual(settled, [...settled.keys()]);
  assert.equal(settled.length, COUNT);
});

test('receives that wait are served in their order', async () => {
  using ends = socketPair();
  const settled: number[] = [];
  const buffers = Array.from({ length: COUNT }, () => Buffer.alloc(64));
  const receives = buffers.map((buffer, index) => ends.b.receive(buffer).then(() => settled.push(index)));
  for (let i = 0; i < COUNT; i++) await ends.a.send(numbered(i));
  await Promise.all(receives);
  assert.deepEqual(settled, [...settled.keys()]);
  assert.deepEqual(
    buffers.map((buffer) => buffer.readInt32LE()),
    [...buffers.keys()],
  );
});

test('a small message does not overtake a large one that waits', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const large = ends.a.send(Buffer.alloc(150_000));
  const small = ends.a.send(Buffer.alloc(1));
  const order: string[] = [];
  large.then(() => order.push('large'));
  small.then(() => order.push('small'));
  const buffer = Buffer.alloc(200_000);
  const lengths: number[] = [];
  for (let i = 0; i < queued + 2; i++) lengths.push(await ends.b.receive(buffer));
  assert.deepEqual(lengths.slice(-2), [150_000, 1]);
  assert.deepEqual(order, ['large', 'small']);
});

test('a new send goes behind the waiting sends, even if there is room again', async () => {
  using ends = socketPair();
  await fillSendQueue(ends.a);
  const waiting = ends.a.send(numbered(1));
  const buffer = Buffer.alloc(64);
  // All in one turn of the event loop, so that the one that waits has not learnt of the room yet.
  while (ends.b.tryReceive(buffer) !== null);
  const newcomer = ends.a.send(numbered(2));
  for (const expected of [1, 2]) {
    await ends.b.receive(buffer);
    assert.equal(buffer.readInt32LE(), expected);
  }
  await Promise.all([waiting, newcomer]);
});

test('operations beyond the turn of the event loop keep their order too', async () => {
  using ends = socketPair();
  ends.a.setOption('sendBufferSize', 2_000_000);
  const settled: string[] = [];
  const all: Promise<unknown>[] = [];
  const buffers: Buffer[] = [];
  for (let i = 0; i < COUNT; i++) {
    all.push(ends.a.send(numbered(i)).then(() => settled.push(`s${i}`)));
    const buffer = Buffer.alloc(64);
    buffers.push(buffer);
    all.push(ends.b.receive(buffer).then(() => settled.push(`r${i}`)));
  }
  await Promise.all(all);
  assert.deepEqual(
    buffers.map((buffer) => buffer.readInt32LE()),
    [...buffers.keys()],
  );
  for (const kind of ['s', 'r']) {
    const order = settled.filter((each) => each.startsWith(kind));
    assert.deepEqual(
      order,
      order.map((_, index) => `${kind}${index}`),
    );
  }
});
