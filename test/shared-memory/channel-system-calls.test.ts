/** The system calls of a channel, as strace(1) shows them: none, unless an end sleeps or a message has descriptors. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const skip = missing('strace');

const TRACED =
  'access,sendto,sendmsg,sendmmsg,recvfrom,recvmsg,recvmmsg,poll,ppoll,epoll_wait,epoll_pwait,epoll_ctl,dup,fcntl,read,write';

/** The names of the system calls that this thread makes between two calls of `mark()` in a script. */
function systemCalls(script: string): string[] {
  const program = `
    import { accessSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { MessageBatch, pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    const ends = async (options) => Promise.all(pair().map((socket) => shareMemory(socket, options)));
    const fails = (call) => { try { call(); } catch { return; } throw new Error('it did not fail'); };
    const mark = () => { try { accessSync('/mark'); } catch {} };
    const [a, b] = await ends();
    ${script}
  `;
  const output = scratchPath('trace');
  const args = ['-qq', '-e', 'signal=none', '-o', output, '-e', `trace=${TRACED}`];
  const node = [process.execPath, '--input-type=module', '-e', program];
  const { status, stderr } = spawnSync('strace', [...args, ...node], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const lines = readFileSync(output, 'utf8').split('\n');
  const marks = lines.flatMap((line, index) => (line.startsWith('access("/mark"') ? [index] : []));
  assert.equal(marks.length, 2);
  return lines.slice(marks[0]! + 1, marks[1]).map((line) => line.slice(0, line.indexOf('(')));
}

/** Without those of the event loop, which may turn meanwhile, and of the compiler's thread. */
function callsOfChannel(script: string): string[] {
  return systemCalls(script).filter((name) => !/^(epoll_|read$|write$)/.test(name));
}

test('messages for a receiver that does not sleep need no system call', { skip }, () => {
  const calls = callsOfChannel(`
    const buffer = Buffer.alloc(64);
    const batch = new MessageBatch({ messages: 9, bytes: 64 });
    const round = async () => {
      await a.send('x');
      a.trySend('x');
      a.sendSync('x');
      await a.sendMany(['x', 'y', 'z']);
      a.lease(9).send(5);
      a.lease(9).cancel();
      await a.wait('write', { bytes: 1000 });
      await b.wait('read');
      await b.receive(buffer);
      b.tryReceive(buffer);
      b.receiveMessageSync();
      await b.receiveMany({ max: 2 });
      (await b.borrow()).release();
      await b.receiveBatch(batch);
      batch.clear();
      batch.push('x');
      await a.sendBatch(batch);
      await b.receiveMessage();
    };
    await round();
    mark();
    for (let i = 0; i < 3; i++) await round();
    mark();
    process.exit();
  `);
  assert.deepEqual(calls, []);
});

test('many messages for a receiver that sleeps are one wake-up', { skip }, () => {
  const calls = callsOfChannel(`
    b.receiveMessage();
    await sleep(5);
    mark();
    for (let i = 0; i < 100; i++) a.trySend('x');
    mark();
    process.exit();
  `);
  assert.deepEqual(calls, ['sendto']);
});

test('a producer that sleeps is woken once, when half of the ring is free', { skip }, () => {
  const calls = callsOfChannel(`
    const buffer = Buffer.alloc(64);
    let sent = 0;
    while (a.trySend(buffer)) sent++;
    a.send(Buffer.alloc(500_000));
    await sleep(5);
    mark();
    for (let i = 0; i < sent; i++) b.tryReceive(buffer);
    mark();
    process.exit();
  `);
  assert.deepEqual(calls, ['sendto']);
});

test('descriptors are one system call at either end', { skip }, () => {
  const calls = callsOfChannel(`
    await a.sendWithFds('x', [0, 1]);
    await b.receiveMessage();
    mark();
    await a.sendWithFds('x', [0, 1]);
    await b.receiveMessage();
    mark();
    process.exit();
  `);
  // The second recvmsg finds no more descriptors.
  assert.deepEqual(calls, ['sendmsg', 'recvmsg', 'recvmsg']);
});

test('busyPoll polls the memory, without a system call', { skip }, () => {
  const sleeping = (busyPoll: number) =>
    callsOfChannel(`
      b.setOption('busyPoll', ${busyPoll});
      fails(() => b.receiveMessageSync({ timeout: 20 }));
      mark();
      fails(() => b.receiveMessageSync({ timeout: 20 }));
      mark();
      process.exit();
    `);
  assert.deepEqual(sleeping(100_000), []);
  assert.ok(sleeping(0).some((name) => /poll/.test(name)));
});

test('channels that wait make no system call', { skip }, () => {
  const calls = systemCalls(`
    const all = [];
    for (let i = 0; i < 20; i++) all.push(await ends({ bytes: 4096 }));
    for (const [one, other] of all) {
      one.receiveMessage();
      while (other.trySend(Buffer.alloc(64)));
      await one.receiveMessage();
      other.send(Buffer.alloc(2000));
      other.receiveMessage();
    }
    // The first messages are received.
    await sleep(50);
    mark();
    await sleep(300);
    mark();
    process.exit();
  `);
  // The timer of the script is one; nothing else happens.
  assert.ok(calls.length <= 4, calls.join());
  assert.deepEqual(
    calls.filter((name) => !name.startsWith('epoll_')),
    [],
  );
});
