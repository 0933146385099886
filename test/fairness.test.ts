/** Promise: a flood on one socket starves neither timers nor other sockets. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeqpacketSocket } from 'seqpacket';
import { missing } from './support/programs.js';
import { scratchPath } from './support/scratch.js';
import { listeningAt, receiveText, socketPair } from './support/sockets.js';

/** Floods a pair from within this thread, with promises that are resolved at once, until told to stop. */
function flood(): { stop(): Promise<number> } {
  const [a, b] = SeqpacketSocket.pair();
  let running = true;
  const buffer = Buffer.alloc(64);
  const done = (async () => {
    let messages = 0;
    for (; running; messages++) {
      await a.send(buffer);
      await b.receive(buffer);
    }
    return messages;
  })();
  return {
    async stop() {
      running = false;
      const messages = await done;
      a.close();
      b.close();
      return messages;
    },
  };
}

test('a timer fires while one socket is flooded', async () => {
  const flooding = flood();
  await sleep(10);
  // That it fired at all is what counts: without turns for the event loop it never would.
  assert.ok((await flooding.stop()) > 0);
});

test('setImmediate and other sockets get their turn between a bounded number of messages', async () => {
  const [a, b] = SeqpacketSocket.pair();
  a.setOption('sendBufferSize', 4_000_000);
  const TOTAL = 2000;
  let received = 0;
  const turns: number[] = [];
  let watching = true;
  const watch = () => {
    turns.push(received);
    if (watching) setImmediate(watch);
  };
  const buffer = Buffer.alloc(64);
  for (let i = 0; i < TOTAL; i++) await a.send(buffer);
  setImmediate(watch);
  for (; received < TOTAL; received++) await b.receive(buffer);
  watching = false;
  const steps = turns.map((each, index) => each - (turns[index - 1] ?? 0));
  assert.ok(Math.max(...steps) <= 256, `up to ${Math.max(...steps)} messages in one turn`);
  a.close();
  b.close();
});

test('a hundred other sockets are served beside a flood', async () => {
  const flooding = flood();
  const pairs = Array.from({ length: 100 }, () => SeqpacketSocket.pair());
  const answers = pairs.map(async ([, b], index) => {
    assert.equal(await receiveText(b), `question ${index}`);
    await b.send(Buffer.from(`answer ${index}`));
  });
  await sleep(1);
  const questions = pairs.map(async ([a], index) => {
    await a.send(Buffer.from(`question ${index}`));
    assert.equal(await receiveText(a), `answer ${index}`);
  });
  await Promise.all([...answers, ...questions]);
  assert.ok((await flooding.stop()) > 0);
  for (const [a, b] of pairs) {
    a.close();
    b.close();
  }
});

test('a single operation gets its turn beside hundreds that wait on a flooded socket', async () => {
  const [a, b] = SeqpacketSocket.pair();
  let running = true;
  const buffer = Buffer.alloc(64);
  const floods = Array.from({ length: 300 }, async () => {
    while (running) await Promise.all([a.send(buffer), b.receive(buffer)]);
  });
  await sleep(5);
  using idle = socketPair();
  for (let i = 0; i < 5; i++) {
    await idle.a.send(Buffer.from('one'));
    assert.equal(await receiveText(idle.b), 'one');
  }
  running = false;
  await Promise.all(floods);
  a.close();
  b.close();
});

test('a flood of failures is a flood too', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.alloc(10));
  let failures = 0;
  let timer = false;
  setTimeout(() => {
    timer = true;
  }, 5);
  while (!timer) await ends.b.receive(Buffer.alloc(1)).catch(() => failures++);
  assert.ok(failures > 0);
});

test('a flood from another process leaves the loop its turns', { skip: missing('python3') }, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])
try:
    while True: s.send(b"x" * 64)
except OSError: pass
`;
  const child = spawn('python3', ['-c', script, path], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  const socket = await acceptor.accept();
  let running = true;
  let received = 0;
  const buffer = Buffer.alloc(64);
  const done = (async () => {
    for (; running; received++) await socket.receive(buffer);
  })();
  for (let timers = 0; timers < 10; timers++) await sleep(5);
  running = false;
  await done;
  socket.close();
  await exit;
  assert.ok(received > 100);
});
