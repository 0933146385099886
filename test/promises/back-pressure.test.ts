/** Promise: a send that the kernel has no room for waits, and memory does not grow behind the caller's back. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { fillSendQueue, listeningAt, settlesSoon, socketPair } from '../support/sockets.js';

test('a send waits until there is room', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const sent = ends.a.send(Buffer.from('waits'));
  assert.equal(await settlesSoon(sent), false);
  for (let i = 0; i < queued; i++) await ends.b.receive(Buffer.alloc(64));
  assert.equal(await sent, 5);
  assert.equal(await ends.b.receive(Buffer.alloc(64)), 5);
});

test('many waiting sends of different sizes complete in their order', async () => {
  using ends = socketPair();
  const lengths = Array.from({ length: 500 }, (_, index) => 1 + ((index * 7919) % 50_000));
  const sends = Promise.all(lengths.map((length) => ends.a.send(Buffer.alloc(length))));
  const buffer = Buffer.alloc(50_000);
  for (const length of lengths) assert.equal(await ends.b.receive(buffer), length);
  assert.deepEqual(await sends, lengths);
});

test('a slow peer holds a fast sender back, and memory stays flat', {
  skip: missing('python3'),
}, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const script = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])
total = 0
while True:
    n = len(s.recv(65536))
    if n == 0: break
    total += n
    if total % (1 << 24) == 0: time.sleep(0.002)
print(total)
`;
  const child = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = once(child.stdout, 'data');
  using socket = await acceptor.accept();
  const message = Buffer.alloc(65_536);
  const TOTAL = 4000;
  const send = async (count: number) => {
    for (let i = 0; i < count; i++) await socket.send(message);
  };
  await send(TOTAL / 4);
  globalThis.gc?.();
  const before = process.memoryUsage();
  await send(TOTAL);
  globalThis.gc?.();
  const after = process.memoryUsage();
  socket.shutdown('send');
  assert.equal(Number(String((await output)[0])), 65_536 * (TOTAL + TOTAL / 4));
  // A quarter of a gigabyte went through.
  assert.ok(after.heapUsed - before.heapUsed < 2e6, `heap: ${after.heapUsed - before.heapUsed}`);
  assert.ok(after.arrayBuffers - before.arrayBuffers < 1e6);
  if (process.env['SEQPACKET_SANITIZED'] === undefined) assert.ok(after.rss - before.rss < 20e6);
});

test('a peer that never receives stops a sender that waits for it, at a bounded amount', async () => {
  using ends = socketPair();
  let sent = 0;
  let running = true;
  const sender = (async () => {
    while (running) {
      await ends.a.send(Buffer.alloc(1024));
      sent++;
    }
  })();
  sender.catch(() => undefined);
  for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate);
  const stopped = sent;
  for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate);
  assert.equal(sent, stopped);
  assert.ok(ends.b.ioControl('bytesReadable') <= ends.a.getOption('sendBufferSize'));
  running = false;
  ends.a.cancel();
  await assert.rejects(sender, { code: 'ECANCELED' });
});
