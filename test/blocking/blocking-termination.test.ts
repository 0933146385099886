/** A thread that is blocked is ended by worker.terminate() and by process.exit(), and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { openDescriptors } from '../support/descriptors.js';

/** The calls that block a thread. Each begins after `ready()`, and does not return. */
const BLOCKED = {
  receiving: 'const [a] = pair(); ready(); a.receiveSync(Buffer.alloc(1));',
  'receiving with a timeout': 'const [a] = pair(); ready(); a.receiveMessageSync({ timeout: 1e9 });',
  'receiving many': 'const [a] = pair(); ready(); a.receiveManySync();',
  'sending into a full queue': 'const [a] = pair(); while (a.trySend("x")); ready(); a.sendSync("x");',
  'sending descriptors into a full queue':
    'const [a] = pair(); while (a.trySend("x")); ready(); a.sendSync("x", { fds: [0, 1, 2] });',
  'sending many': 'const [a] = pair(); ready(); a.sendManySync(Array(1000).fill("x"));',
  accepting: 'const acceptor = listen(name); ready(); acceptor.acceptSync();',
  connecting: 'listen(name, { backlog: 0 }); connectSync(name); ready(); connectSync(name);',
  'busy with calls that need not wait':
    'const [a, b] = pair(); ready(); for (;;) { a.sendSync("x"); b.receiveMessageSync(); }',
};

const PRELUDE = `
  const { connectSync, listen, pair } = require('seqpacket');
  const { parentPort, threadId } = require('node:worker_threads');
  const name = '\\0seqpacket-blocked-' + process.pid + '-' + threadId;
  const ready = () => parentPort.postMessage('ready');
`;

/** More of them in .ci/run. */
const TIMES = Number(process.env['SEQPACKET_TERMINATIONS'] ?? 30);

/** How many of them there are at the same time, because each waits for some time. */
const LANES = 3;

/** The sockets of this process, as a worker leaves none of its own. */
const sockets = () => [...openDescriptors().values()].filter((name) => name.startsWith('socket')).sort();

/** Terminates a worker that is blocked. Returns how long that took, in milliseconds. */
async function terminated(way: string, script: string): Promise<number> {
  const worker = new Worker(PRELUDE + script, { eval: true });
  const failed = once(worker, 'error').then(([error]) => assert.fail(error));
  await Promise.race([once(worker, 'message'), failed]);
  // Until it is blocked, in any part of a sleep.
  await sleep(5 + 60 * Math.random());
  const start = performance.now();
  assert.equal(await worker.terminate(), 1, way);
  const took = performance.now() - start;
  assert.ok(took < 10_000, `${way}: ${took} ms`);
  return took;
}

test(`${TIMES} threads are terminated while they are blocked`, async (t) => {
  const ways = Object.entries(BLOCKED);
  const before = sockets();
  const durations: number[] = [];
  let count = 0;
  const lane = async () => {
    while (count < TIMES) durations.push(await terminated(...ways[count++ % ways.length]!));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  durations.sort((a, b) => a - b);
  const median = durations[durations.length >> 1]!;
  t.diagnostic(`median ${median.toFixed()} ms, longest ${durations.at(-1)!.toFixed()} ms`);
  // On a quiet machine it is about 30 ms. Coverage, sanitizers and load take their time; without the slices, it never ends.
  assert.ok(median < 1000, `the median is ${median} ms`);
  assert.deepEqual(sockets(), before);
});

test('many threads that are blocked are terminated at once', async () => {
  const before = sockets();
  const workers = Object.values(BLOCKED).map((script) => new Worker(PRELUDE + script, { eval: true }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await sleep(20);
  assert.deepEqual(new Set(await Promise.all(workers.map((worker) => worker.terminate()))), new Set([1]));
  assert.deepEqual(sockets(), before);
});

for (const [way, script] of Object.entries(BLOCKED)) {
  test(`process.exit() of the main thread ends a thread that is ${way}`, () => {
    const program = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(PRELUDE + script)}, { eval: true });
      worker.on('error', (error) => { throw error; });
      worker.once('message', () => setTimeout(() => process.exit(7), 20));
    `;
    const { status, signal, stderr } = spawnSync(process.execPath, ['-e', program], {
      encoding: 'utf8',
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    assert.equal(signal ?? status, 7, stderr);
    assert.equal(stderr, '');
  });
}

test('a call that is interrupted by termination has sent the message, or not', async () => {
  const script = `
    const { FileDescriptor, SeqpacketSocket } = require('seqpacket');
    const { parentPort, workerData } = require('node:worker_threads');
    const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData));
    const parts = Array.from({ length: 50 }, () => Buffer.alloc(4, 1));
    parentPort.postMessage('ready');
    for (;;) socket.sendSync(parts);
  `;
  const { SeqpacketSocket } = await import('seqpacket');
  for (let round = 0; round < 5; round++) {
    const [a, b] = SeqpacketSocket.pair();
    b.setOption('emptyMessages', 'deliver');
    const worker = new Worker(script, { eval: true, workerData: a.release().detach() });
    await once(worker, 'message');
    const lengths = new Set<number>();
    const all = (async () => {
      for await (const { length } of b) lengths.add(length);
    })();
    while (lengths.size === 0) await sleep(1);
    await sleep(20 * Math.random());
    await worker.terminate();
    await all;
    assert.deepEqual([...lengths], [200]);
    b.close();
  }
});
