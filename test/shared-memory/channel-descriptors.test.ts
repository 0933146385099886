/** Descriptors on a channel: none is leaked, none is lost, and no end has to hold more than 253 of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { channelPair } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { settlesSoon } from '../support/sockets.js';

test('a received descriptor is the file that was sent, and close-on-exec', async () => {
  using ends = await channelPair();
  const path = scratchPath('file');
  writeFileSync(path, 'the content');
  const fd = openSync(path, 'r');
  await ends.a.sendWithFds('file', [fd]);
  closeSync(fd);
  unlinkSync(path);
  const { fds, controlTruncated } = await ends.b.receiveMessage({ maxFds: 1 });
  assert.equal(controlTruncated, false);
  const [received] = fds;
  assert.ok(received !== undefined);
  assert.equal(readFileSync(received.fd, 'utf8'), 'the content');
  assert.match(readFileSync(`/proc/self/fdinfo/${received.fd}`, 'utf8'), /flags:\s+0?2\d*/);
  received.close();
});

test('descriptors that were not asked for are closed', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const before = openDescriptors().size;
  for (const maxFds of [0, 1, 4, 5, 253]) {
    await a.sendWithFds('x', [0, 1, 2, 0, 1]);
    const { fds, controlTruncated } = await b.receiveWithFds(Buffer.alloc(1), maxFds);
    assert.equal(fds.length, Math.min(maxFds, 5));
    assert.equal(controlTruncated, maxFds < 5);
    for (const each of fds) each.close();
  }
  for (let i = 0; i < 5; i++) await a.sendWithFds('x', [0, 1, 2]);
  await b.receive(Buffer.alloc(1));
  await b.receiveMessage();
  (await b.borrow()).release();
  assert.equal((await b.receiveMany()).length, 2);
  assert.equal(openDescriptors().size, before);
});

test('at most 253 descriptors are on their way', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const before = openDescriptors().size;
  await a.sendWithFds('all', Array(253).fill(0));
  const waiting = a.sendWithFds('more', [0]);
  assert.equal(await settlesSoon(waiting), false);
  assert.equal(a.trySend('behind it'), false);
  const { data, fds } = await b.receiveMessage({ maxFds: 253 });
  assert.equal(String(data), 'all');
  assert.equal(fds.length, 253);
  for (const each of fds) each.close();
  const next = b.receiveMessage({ maxFds: 1 });
  await waiting;
  const more = await next;
  assert.equal(String(more.data), 'more');
  more.fds[0]?.close();
  assert.equal(openDescriptors().size, before);
  assert.throws(() => a.sendWithFds('x', Array(254).fill(0)), { code: 'ERR_OUT_OF_RANGE' });
});

test('thousands of descriptors go through, in both directions at once', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const before = openDescriptors().size;
  const send = async (channel: typeof ends.a) => {
    for (let i = 0; i < 1000; i++) await channel.sendWithFds(`${i}`, Array(1 + (i % 5)).fill(i % 3));
  };
  const receive = async (channel: typeof ends.a) => {
    for (let i = 0; i < 1000; i++) {
      const { data, fds } = await channel.receiveMessage({ maxFds: 5 });
      assert.deepEqual([String(data), fds.length], [`${i}`, 1 + (i % 5)]);
      for (const each of fds) each.close();
    }
  };
  await Promise.all([send(ends.a), receive(ends.b), send(ends.b), receive(ends.a)]);
  assert.equal(openDescriptors().size, before);
});

test('a closed descriptor is refused, and the channel goes on', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  await assert.rejects(a.sendWithFds('x', [fd]), { code: 'EBADF' });
  assert.throws(() => fstatSync(fd));
  await a.send('next');
  assert.equal(String((await b.receiveMessage()).data), 'next');
});

test('descriptors that were not received are closed with the channel', async () => {
  const before = openDescriptors().size;
  {
    using ends = await channelPair();
    const waiting = ends.b.receiveMessage();
    await ends.a.send('wake');
    await waiting;
    for (let i = 0; i < 50; i++) await ends.a.sendWithFds('x', [0, 1]);
    // The receiver of a message takes the descriptors of those behind it, too.
    await ends.b.receiveMessage();
    assert.ok(openDescriptors().size > before);
  }
  assert.equal(openDescriptors().size, before);
});

test('a send that waits has its own descriptors', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendWithFds('all', Array(253).fill(0));
  const fd = openSync('/etc/hostname', 'r');
  const waiting = a.sendWithFds('waits', [fd]);
  closeSync(fd);
  const all = await b.receiveMessage({ maxFds: 253 });
  for (const each of all.fds) each.close();
  const [{ fds }] = await Promise.all([b.receiveMessage({ maxFds: 1 }), waiting]);
  assert.equal(readFileSync(fds[0]?.fd as number, 'utf8'), readFileSync('/etc/hostname', 'utf8'));
  fds[0]?.close();
});

test('descriptors wait for room in the socket, and what is sent later waits behind them', {
  timeout: 10_000,
}, async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const before = openDescriptors().size;
  a.socket.setOption('sendBufferSize', 1);
  const sends = Array.from({ length: 100 }, (_, i) => a.sendWithFds(`${i}`, [i % 3]));
  assert.equal(await settlesSoon(sends.at(-1) as Promise<number>), false);
  assert.ok(a.counters.pendingSends > 0 && a.counters.pendingSends < 100);
  assert.equal(a.trySend('x'), false);
  assert.throws(() => a.sendSync('x'), { code: 'EBUSY' });
  sends.push(a.send('100'));
  for (let i = 0; i <= 100; i++) {
    const { data, fds } = await b.receiveMessage({ maxFds: 1 });
    assert.deepEqual([String(data), fds.length], [`${i}`, i < 100 ? 1 : 0]);
    for (const each of fds) each.close();
  }
  await Promise.all(sends);
  assert.equal(openDescriptors().size, before);
});

test('sends that wait for room in the socket can be aborted, and end with the channel', {
  timeout: 10_000,
}, async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const before = openDescriptors().size;
  a.socket.setOption('sendBufferSize', 1);
  while (a.trySend('x', [0]));
  const sent = a.counters.messagesSent;
  const controller = new AbortController();
  const aborted = a.sendWithFds('aborted', [0], { signal: controller.signal });
  assert.throws(() => b.sendSync('y', { fds: [99_999] }), { code: 'EBADF' });
  assert.equal(await settlesSoon(aborted), false);
  controller.abort();
  await assert.rejects(aborted, { code: 'ABORT_ERR' });
  assert.throws(() => a.sendSync('x', { fds: [0], timeout: 5 }), { code: 'ETIMEDOUT' });
  // Messages without descriptors have room.
  assert.equal(await a.send('plain'), 5);
  const waiting = a.sendWithFds('waits', [0]);
  a.shutdown('send');
  await assert.rejects(waiting, { code: 'EPIPE' });
  for (let i = 0; i < sent; i++) assert.equal(String((await b.receiveMessage()).data), 'x');
  assert.equal(String((await b.receiveMessage()).data), 'plain');
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  assert.equal(openDescriptors().size, before);
});

test('descriptors that this process cannot open: the message is received, and says so', () => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    const [left, right] = pair();
    const [a, b] = await Promise.all([shareMemory(left), shareMemory(right)]);
    await a.sendWithFds('one', [0, 0, 0, 0, 0]);
    await a.sendWithFds('two', [0]);
    await a.send('three');
    const filling = [];
    try { for (;;) filling.push(openSync('/dev/null')); } catch {}
    for (const fd of filling.splice(0, 2)) closeSync(fd);
    for (let i = 0; i < 3; i++) {
      const { data, fds, controlTruncated } = await b.receiveMessage({ maxFds: 253 });
      console.log(String(data), fds.length, controlTruncated);
      // Those of the next message were received at the same time.
      for (const each of fds) each.close();
    }
    await a.sendWithFds('four', [0]);
    const { data, fds, controlTruncated } = await b.receiveMessage({ maxFds: 253 });
    console.log(String(data), fds.length, controlTruncated);`;
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -n 60; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, 'one 2 true\ntwo 0 true\nthree 0 false\nfour 1 false\n', stderr);
});
