/** Blocking calls on a channel. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SeqpacketSocket, shareMemory } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';

test('blocking calls take what is there, and end in time', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  assert.equal(a.sendSync('one'), 3);
  a.sendSync('two', { fds: [0], timeout: 0 });
  assert.equal(String(b.receiveMessageSync().data), 'one');
  const { data, fds } = b.receiveMessageSync({ maxFds: 1, timeout: 0 });
  assert.deepEqual([String(data), fds.length], ['two', 1]);
  fds[0]?.close();
  for (const timeout of [0, 5, 60]) {
    const start = performance.now();
    assert.throws(() => b.receiveMessageSync({ timeout }), { code: 'ETIMEDOUT', syscall: 'recvmsg' });
    assert.ok(performance.now() - start >= timeout);
  }
  fillRing(a);
  const message = Buffer.alloc(100);
  for (const timeout of [0, 5]) {
    assert.throws(() => a.sendSync(message, { timeout }), { code: 'ETIMEDOUT', syscall: 'sendmsg' });
  }
  const waiting = a.receiveMessage();
  assert.throws(() => a.receiveMessageSync(), { code: 'EBUSY' });
  b.sendSync('x');
  await waiting;
  b.close();
  assert.throws(() => a.receiveMessageSync({ timeout: 0 }), { code: 'ECONNRESET' });
  assert.throws(() => a.receiveMessageSync({ timeout: 0 }), { code: 'EOF' });
  assert.throws(() => a.sendSync(message, { timeout: 0 }), { code: 'EPIPE' });
});

test('a blocking send that does not wait finds a closed peer, although the ring has room for a shorter message', async () => {
  using ends = await channelPair({ bytes: 4096 });
  // This leaves room for 56 bytes.
  fillRing(ends.a, 64);
  ends.b.close();
  assert.throws(() => ends.a.sendSync(Buffer.alloc(100), { timeout: 0 }), { code: 'EPIPE' });
});

test('a blocking send that does not wait finds a closed peer, although too many descriptors are on their way', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendWithFds('x', [0]);
  b.close();
  assert.throws(() => a.sendSync('y', { fds: Array(253).fill(0), timeout: 0 }), { code: 'EPIPE' });
});

/** Runs a script in a worker that has the other end of a channel. */
async function workerWith(script: string, bytes = 4096) {
  const [here, there] = SeqpacketSocket.pair();
  const prelude = `
    const { FileDescriptor, SeqpacketSocket, shareMemory } = require('seqpacket');
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData.fd));
      const channel = await shareMemory(socket, { bytes: workerData.bytes });
      ${script}
    })();`;
  const fd = there.release().detach();
  const worker = new Worker(prelude, { eval: true, workerData: { fd, bytes } });
  const exited = once(worker, 'exit');
  return { worker, exited, channel: await shareMemory(here, { bytes }) };
}

test('two threads talk by blocking calls, in rings that are always full or empty', async () => {
  const { exited, channel } = await workerWith(`
    for (let i = 0; i < 3000; i++) channel.sendSync(channel.receiveMessageSync().data);
    channel.close();`);
  for (let i = 0; i < 3000; i++) {
    const message = Buffer.alloc((i * 31) % 2041, i);
    channel.sendSync(message);
    if (i % 2 === 0) assert.deepEqual(channel.receiveMessageSync().data, message);
    else assert.deepEqual((await channel.receiveMessage()).data, message);
  }
  await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
  channel.close();
  await exited;
});

test('one thread only sends, the other one only receives, both blocked in turn', async () => {
  const { exited, channel } = await workerWith(`
    for (let i = 0; i < 20000; i++) channel.sendSync('message ' + i);
    channel.shutdown('send');
    await channel.receiveMessage();
    channel.close();`);
  for (let i = 0; i < 20_000; i++) assert.equal(String(channel.receiveMessageSync().data), `message ${i}`);
  assert.throws(() => channel.receiveMessageSync(), { code: 'EOF' });
  channel.sendSync('done');
  await exited;
  channel.close();
});

test('a thread that is blocked is terminated, and its end is closed', async () => {
  const before = openDescriptors().size;
  const blocked = {
    receiving: 'channel.receiveMessageSync();',
    sending: "for (;;) channel.sendSync('x'.repeat(100));",
    'waiting asynchronously': 'await channel.receiveMessage();',
  };
  for (const [what, script] of Object.entries(blocked)) {
    for (let round = 0; round < 3; round++) {
      const { worker, channel } = await workerWith(`parentPort.postMessage('ready'); ${script}`);
      await once(worker, 'message');
      await sleep(20 * Math.random());
      await worker.terminate();
      const reason = await (async () => {
        for (;;) await channel.receiveMessage();
      })().catch((error) => error);
      assert.equal(reason.code, 'EOF', what);
      channel.close();
    }
  }
  for (let i = 0; i < 100 && openDescriptors().size > before; i++) await sleep(10);
  // Node.js itself opens some for the first worker.
  assert.ok(openDescriptors().size <= before + 8);
});
