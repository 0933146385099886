/** Many cycles of everything that opens descriptors leave the process as it was: 100,000 in .ci/run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { listeningAt } from '../support/sockets.js';

const CYCLES = Number(process.env['SEQPACKET_ENDURANCE_CYCLES'] ?? 10_000);
/** The heap of newer versions of Node.js grows until then. */
const WARM_UP = Math.min(CYCLES, 40_000);
/** In bytes: less than 56 a cycle. */
const MOST_HEAP = Math.min(CYCLES * 50, 1.5e6);

/** Runs the cycles after a warm-up; descriptors must be the same afterwards, memory within noise. */
async function endures(cycle: () => unknown): Promise<void> {
  for (let i = 0; i < WARM_UP; i++) await cycle();
  await settle();
  const descriptors = openDescriptors();
  const memory = process.memoryUsage();
  for (let i = 0; i < CYCLES; i++) await cycle();
  await settle();
  const { rss, heapUsed } = process.memoryUsage();
  assert.deepEqual(openDescriptors(), descriptors);
  // One leaked object a cycle, a promise or a view, is at least 56 bytes of heap, one leaked poll handle or control
  // block several times that. What remains is the noise of the collector and the allocator.
  const sanitized = process.env['SEQPACKET_SANITIZED'] !== undefined;
  assert.ok(heapUsed - memory.heapUsed < MOST_HEAP, `heap grew by ${heapUsed - memory.heapUsed} bytes`);
  if (!sanitized) assert.ok(rss - memory.rss < 30e6, `memory grew by ${rss - memory.rss} bytes`);
}

/** Lets finalizers and close callbacks run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await new Promise(setImmediate);
  }
}

test('open and close', async () => {
  const socket = new SeqpacketSocket();
  await endures(() => {
    socket.open();
    socket.close();
  });
});

test('connect, accept, wait for a message, close', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const buffer = Buffer.alloc(1);
  await endures(async () => {
    const client = new SeqpacketSocket();
    const connected = client.connect(path);
    const server = await acceptor.accept();
    await connected;
    const received = server.receive(buffer);
    await client.send(buffer);
    await received;
    client.close();
    server.close();
  });
});

test('pass a descriptor', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const buffer = Buffer.alloc(1);
  using descriptor = FileDescriptor.dup(0);
  await endures(async () => {
    const received = b.receiveWithFds(buffer, 1);
    await a.sendWithFds(buffer, [descriptor]);
    for (const fd of (await received).fds) fd.close();
  });
  a.close();
  b.close();
});
