/** The system calls of blocking calls, as strace(1) shows them: one where nothing has to wait. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const skip = missing('strace');

/** The names of the system calls that a script makes between two calls of `mark()`. */
function systemCalls(script: string): string[] {
  const program = `
    const { MessageFlag, pair } = require('seqpacket');
    const { accessSync } = require('node:fs');
    const [a, b] = pair();
    const buffer = Buffer.alloc(4);
    const fails = (call) => { try { call(); } catch { return; } throw new Error('it did not fail'); };
    const mark = () => { try { accessSync('/mark'); } catch {} };
    ${script}
  `;
  const output = scratchPath('trace');
  const args = [
    '-qq',
    '-o',
    output,
    '-e',
    'trace=access,sendto,sendmsg,sendmmsg,recvmsg,recvmmsg,poll,ppoll',
  ];
  const { status, stderr } = spawnSync('strace', [...args, process.execPath, '-e', program], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const lines = readFileSync(output, 'utf8').split('\n');
  const marks = lines.flatMap((line, index) => (line.startsWith('access("/mark"') ? [index] : []));
  assert.equal(marks.length, 2);
  return lines
    .slice(marks[0]! + 1, marks[1])
    .map((line) => line.slice(0, line.indexOf('(')).replace('ppoll', 'poll'));
}

test('a call that need not wait is one system call', { skip }, () => {
  const calls = systemCalls(`
    for (let i = 0; i < 3; i++) a.sendManySync(['x', 'y']);
    mark();
    b.receiveSync(buffer);
    b.receiveMessageSync();
    b.receiveManySync({ max: 1 });
    a.sendSync('x');
    a.sendSync('x', { fds: [0] });
    a.sendManySync(['x', 'y', 'z'], { timeout: 1000 });
    fails(() => a.receiveSync(buffer, { timeout: 0 }));
    mark();
  `);
  const sends = ['sendto', 'sendmsg', 'sendmmsg'];
  assert.deepEqual(calls, ['recvmsg', 'recvmsg', 'recvmmsg', ...sends, 'recvmsg']);
});

test('after a receive that had to wait, the next ones wait first, and one in eight does not', {
  skip,
}, () => {
  const calls = systemCalls(`
    mark();
    fails(() => b.receiveSync(buffer, { timeout: 1 }));
    for (let i = 0; i < 10; i++) { a.sendSync('x'); b.receiveSync(buffer); }
    mark();
  `);
  const direct = ['sendto', 'recvmsg'];
  const waiting = ['sendto', 'poll', 'recvmsg'];
  assert.deepEqual(calls, [
    ...['recvmsg', 'poll', 'recvmsg'],
    ...Array(7).fill(waiting).flat(),
    ...[direct, direct, direct].flat(),
  ]);
});

test('a held message, MSG_DONTWAIT and the timeout 0 never wait', { skip }, () => {
  const calls = systemCalls(`
    fails(() => b.receiveSync(buffer, { timeout: 1 }));
    a.sendSync('long message');
    fails(() => b.receiveSync(buffer));
    mark();
    fails(() => b.receiveSync(buffer));
    b.receiveMessageSync();
    fails(() => b.receiveSync(buffer, { flags: MessageFlag.dontWait }));
    fails(() => b.receiveSync(buffer, { timeout: 0 }));
    mark();
  `);
  assert.deepEqual(calls, ['recvmsg', 'recvmsg']);
});

test('busyPoll tries again before it waits, and is part of the timeout', { skip }, () => {
  const calls = systemCalls(`
    b.setOption('busyPoll', 50_000);
    mark();
    fails(() => b.receiveSync(buffer, { timeout: 90 }));
    mark();
  `);
  const first = calls.indexOf('poll');
  assert.ok(first > 3, calls.join());
  assert.deepEqual(new Set(calls.slice(0, first)), new Set(['recvmsg']));
  // 40 ms are left: one sleep, and a last try.
  assert.deepEqual(calls.slice(first), ['poll', 'recvmsg']);
});
