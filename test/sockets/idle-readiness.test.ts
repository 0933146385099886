/** A ready socket without waiting operations costs no CPU: its poll is disarmed after one event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSendQueue, socketPair } from '../support/sockets.js';

/** The share of a CPU that this process uses while it has nothing to do. */
async function load(): Promise<number> {
  const MS = 200;
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, MS));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (1000 * MS);
}

test('a message without a waiting receive', async () => {
  using ends = socketPair();
  const received = ends.b.receive(Buffer.alloc(1));
  const cancelled = assert.rejects(received, { code: 'ECANCELED' });
  await new Promise(setImmediate);
  ends.b.cancel();
  await cancelled;
  await ends.a.send(Buffer.from('x'));
  assert.ok((await load()) < 0.5);
});

test('room without a waiting send', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const sent = ends.a.send(Buffer.alloc(1));
  for (let i = 0; i < queued; i++) await ends.b.receive(Buffer.alloc(64));
  await sent;
  const received = ends.a.receive(Buffer.alloc(1));
  assert.ok((await load()) < 0.5);
  await ends.b.send(Buffer.from('x'));
  assert.equal(await received, 1);
});

test('a closed peer', async () => {
  using ends = socketPair();
  await assert.rejects(ends.b.receive(Buffer.alloc(1), { signal: AbortSignal.timeout(5) }), {
    code: 'ABORT_ERR',
  });
  await ends.b.send(Buffer.from('never read'));
  ends.a.close();
  assert.ok((await load()) < 0.5);
});
