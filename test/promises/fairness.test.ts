/** Promise: a flood on one socket starves neither timers nor other sockets. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { listeningAt, receiveText, socketPair, useUpTurn } from '../support/sockets.js';

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

/** Keeps the CPU busy for so many milliseconds. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) {}
}

/** The most that `count()` grew by between two turns of the event loop while something ran. */
async function mostInOneTurn(count: () => number, running: Promise<unknown>): Promise<number> {
  let before = count();
  let most = 0;
  let watching = true;
  const watch = () => {
    most = Math.max(most, count() - before);
    before = count();
    if (watching) setImmediate(watch);
  };
  setImmediate(watch);
  await running;
  watching = false;
  return Math.max(most, count() - before);
}

test('the time of the caller’s work counts: with slow work only a few messages are received in one turn', async () => {
  using ends = socketPair();
  const TOTAL = 200;
  for (let i = 0; i < TOTAL; i++) await ends.a.send(Buffer.alloc(64));
  let received = 0;
  const receiving = (async () => {
    for (const buffer = Buffer.alloc(64); received < TOTAL; received++) {
      await ends.b.receive(buffer);
      work(1);
    }
  })();
  const most = await mostInOneTurn(() => received, receiving);
  assert.ok(most <= 32, `${most} messages, for each of which something works for a millisecond`);
});

test('all sockets share the time of a turn', async () => {
  const SOCKETS = 50;
  const EACH = 10;
  const pairs = Array.from({ length: SOCKETS }, () => SeqpacketSocket.pair());
  let received = 0;
  const receiving = pairs.map(async ([, b]) => {
    for (const buffer = Buffer.alloc(64), end = EACH; b.counters.messagesReceived < end; received++) {
      await b.receive(buffer);
      work(0.2);
    }
  });
  // All wait by now, and all become readable in the same turn.
  for (const [a] of pairs) for (let i = 0; i < EACH; i++) a.trySend(Buffer.alloc(64));
  const most = await mostInOneTurn(() => received, Promise.all(receiving));
  assert.equal(received, SOCKETS * EACH);
  assert.ok(
    most <= 100,
    `${most} of ${SOCKETS * EACH} messages, for each of which something works for 0.2 ms`,
  );
  for (const pair of pairs) for (const socket of pair) socket.close();
});

test('unrequested descriptors are not installed', { skip: missing('strace') }, () => {
  const script = `
    import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
    const [a, b] = SeqpacketSocket.pair();
    b.setOption('emptyMessages', 'deliver');
    const fds = Array(253).fill(0);
    const many = () => Promise.all(Array.from({ length: 10 }, () => a.sendWithFds(Buffer.alloc(64), fds)));
    await many();
    await b.receiveMany();
    await many();
    for (let i = 0; i < 10; i++) await b[Symbol.asyncIterator]().next();
    process.exit();
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stderr } = spawnSync(
    'strace',
    ['-f', '-qq', '-e', 'trace=recvmsg,recvmmsg', '-e', 'signal=none', ...node],
    {
      encoding: 'utf8',
    },
  );
  const received = stderr.split('\n').filter((line) => /iov_len=64|"\\0\\0/.test(line));
  assert.ok(received.length >= 11, stderr.slice(-2000));
  assert.deepEqual(
    received.filter((line) => line.includes('SCM_RIGHTS')),
    [],
  );
});

test('a flood of descriptors ends batches in which they would all be received at once', async () => {
  using ends = socketPair();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) assert.ok(ends.a.trySend(Buffer.alloc(1), [0]));
    const first = (await ends.b.receiveMany()).length;
    if (round > 0) assert.equal(first, 1);
    while (ends.b.ioControl('bytesReadable') > 0) await ends.b.receiveMany();
  }
  for (let i = 0; i < 100; i++) ends.a.trySend(Buffer.alloc(1));
  let largest = 0;
  while (ends.b.ioControl('bytesReadable') > 0) {
    largest = Math.max(largest, (await ends.b.receiveMany()).length);
  }
  assert.equal(largest, 36);
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

test('a single operation is served beside hundreds that wait on a flooded socket', async () => {
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

test('operations that fail before they are tried are a flood, too', async () => {
  using ends = socketPair();
  const closed = new SeqpacketSocket();
  const signal = AbortSignal.abort();
  const buffer = Buffer.alloc(1);
  const failing: (() => Promise<unknown>)[] = [
    () => ends.a.receive(buffer, { signal }),
    () => ends.a.send(buffer, { signal }),
    () => ends.a.sendWithFds(buffer, [99_999]),
    () => closed.connect('/nowhere', { signal }),
    () => closed.receive(buffer),
    () => closed.receiveMessage(),
    () => closed.sendMany([buffer]),
    () => new SeqpacketAcceptor().accept(),
  ];
  for (const fail of failing) {
    let timer = false;
    setTimeout(() => {
      timer = true;
    }, 1);
    let failures = 0;
    while (!timer) {
      await fail().catch(() => failures++);
      assert.ok(failures < 1_000_000, `${fail} starves the event loop`);
    }
    assert.ok(failures > 0);
  }
});

test('a deferred send completes before shutdown() ends sending', async () => {
  using ends = socketPair();
  useUpTurn();
  const sent = Array.from({ length: 200 }, () => ends.a.send(Buffer.alloc(10)));
  ends.a.shutdown('send');
  assert.deepEqual(new Set(await Promise.all(sent)), new Set([10]));
  let received = 0;
  for await (const _ of ends.b) received++;
  assert.equal(received, 200);
});
