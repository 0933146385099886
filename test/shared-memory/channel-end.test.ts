/** The end of a channel: half-close, close, and death. What was sent before is delivered before the end of file. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allUnmapped, channelPair, childWith, fillRing } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { settlesSoon } from '../support/sockets.js';

test('shutdown ends one direction, after what was sent before', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  await a.sendMany(['one', 'two']);
  a.shutdown('send');
  a.shutdown('send');
  await assert.rejects(a.send('x'), { code: 'EPIPE' });
  assert.throws(() => a.trySend('x'), { code: 'EPIPE' });
  assert.deepEqual((await b.receiveMany()).map(String), ['one', 'two']);
  await assert.rejects(b.receiveMessage(), { code: 'EOF', syscall: 'recvmsg' });
  assert.throws(() => b.tryReceive(Buffer.alloc(1)), { code: 'EOF' });
  await b.send('the other direction');
  assert.equal(String((await a.receiveMessage()).data), 'the other direction');
  assert.throws(() => a.shutdown('both' as 'send'), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('shutdown wakes a receive that waits, and rejects the sends that wait', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const waiting = a.receiveMessage();
  b.shutdown('send');
  await assert.rejects(waiting, { code: 'EOF' });
  const filled = fillRing(a);
  const sends = [a.send(Buffer.alloc(100)), a.send(Buffer.alloc(100))];
  a.shutdown('send');
  for (const each of sends) await assert.rejects(each, { code: 'EPIPE' });
  for (let i = 0; i < filled; i++) await b.receiveMessage();
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
});

test('what was sent before close is received before the end of file', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendMany(['one', 'two']);
  await a.sendWithFds('three', [0]);
  a.close();
  a.close();
  assert.deepEqual((await b.receiveMany({ max: 2 })).map(String), ['one', 'two']);
  const { data, fds } = await b.receiveMessage({ maxFds: 1 });
  assert.deepEqual([String(data), fds.length], ['three', 1]);
  fds[0]?.close();
  for (let i = 0; i < 2; i++) await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  await assert.rejects(b.send('x'), { code: 'EPIPE' });
});

test('a peer that closes with unread messages: ECONNRESET once, after its own messages', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.send('not read');
  await b.send('read');
  b.close();
  assert.equal(String((await a.receiveMessage()).data), 'read');
  await assert.rejects(a.receiveMessage(), { code: 'ECONNRESET' });
  await assert.rejects(a.receiveMessage(), { code: 'EOF' });
});

test('close rejects what waits, at both ends', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  fillRing(a);
  const own = [a.send(Buffer.alloc(100)), a.receiveMessage(), a.borrow(), a.wait('read')];
  const sent = fillRing(b);
  const blocked = b.send(Buffer.alloc(100));
  // The receives of this end take what is there.
  const taken = await Promise.allSettled(own.slice(1));
  assert.deepEqual(
    taken.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled'],
  );
  assert.ok(sent > 3);
  assert.equal(await settlesSoon(blocked), false);
  a.close();
  await assert.rejects(own[0] as Promise<unknown>, { code: 'ECANCELED' });
  await assert.rejects(blocked, { code: 'EPIPE' });
  await assert.rejects(a.receiveMessage(), { code: 'EBADF' });
  assert.throws(() => a.counters, { code: 'EBADF' });
  assert.equal(a.isOpen, false);
});

test('closing leaves no descriptor and no memory', async () => {
  const descriptors = openDescriptors().size;
  for (let i = 0; i < 50; i++) {
    using ends = await channelPair({ bytes: 4096 });
    await ends.a.send('x');
  }
  assert.equal(openDescriptors().size, descriptors);
  await allUnmapped();
});

test('all messages of a process that was killed are received, whole, and then the end of file', async (t) => {
  for (let round = 0; round < 3; round++) {
    const script = `for (let i = 0; ; i++) {
      const message = Buffer.alloc(4 + (i * 7919) % 5000, i);
      message.writeUInt32LE(i, 0);
      await channel.send(message);
    }`;
    const { child, channel } = await childWith(t, script);
    const closed = once(child, 'close');
    let count = 0;
    for await (const message of channel) {
      const expected = Buffer.alloc(4 + ((count * 7919) % 5000), count);
      expected.writeUInt32LE(count, 0);
      assert.deepEqual(message, expected);
      if (++count === 2000 + 311 * round) child.kill('SIGKILL');
    }
    assert.ok(count >= 2000 + 311 * round);
    await closed;
    channel.close();
  }
});

test('a send to a process that was killed fails, at the latest when the ring is full', async (t) => {
  const { child, channel } = await childWith(t, `await channel.send('ready'); setInterval(() => {}, 1e6);`);
  assert.equal(String((await channel.receiveMessage()).data), 'ready');
  const message = Buffer.alloc(10_000);
  const sending = (async () => {
    for (;;) await channel.send(message);
  })();
  await sleep(20);
  child.kill('SIGKILL');
  await assert.rejects(sending, { code: 'EPIPE' });
  await assert.rejects(channel.receiveMessage(), { code: 'ECONNRESET' });
});

test('a channel that is forgotten is closed, with a warning', async () => {
  const script = `
    import { pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    import { readdirSync, readlinkSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    const target = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
    const open = () => readdirSync('/proc/self/fd').filter((fd) => /^socket|memfd/.test(target(fd))).length;
    const before = open();
    process.on('warning', ({ code }) => console.log(code));
    await (async () => {
      const [left, right] = pair();
      await Promise.all([shareMemory(left), shareMemory(right)]);
    })();
    for (let i = 0; i < 300 && open() > before; i++) { gc(); await sleep(10); }
    console.log(open() - before);`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  const warning = 'SEQPACKET_DESCRIPTOR_COLLECTED\n';
  assert.equal(stdout, `${warning}${warning}0\n`, stderr);
});

test('after descriptors could not be sent to a closed peer, all sends fail', async () => {
  for (const unread of [0, 1]) {
    using ends = await channelPair();
    const { a, b } = ends;
    for (let i = 0; i < unread; i++) await a.sendWithFds('not read', [0]);
    b.close();
    await assert.rejects(a.sendWithFds('x', [0]), { code: 'EPIPE' });
    await assert.rejects(a.send('x'), { code: 'EPIPE' });
    assert.throws(() => a.trySend('x'), { code: 'EPIPE' });
    assert.throws(() => a.lease(1), { code: 'EPIPE' });
    await assert.rejects(a.receiveMessage(), { code: unread > 0 ? 'ECONNRESET' : 'EOF' });
    await assert.rejects(a.receiveMessage(), { code: 'EOF' });
  }
});

test('a message that could not be sent to a closed peer does not count as one that it has not read', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const waiting = assert.rejects(b.receiveMessage(), { code: 'ECANCELED' });
  await a.wait('write');
  b.close();
  await waiting;
  await assert.rejects(a.sendMany(['x', 'y']), { code: 'EPIPE', messagesSent: 0 });
  assert.equal(a.counters.messagesSent, 0);
  await assert.rejects(a.receiveMessage(), { code: 'EOF' });
  await assert.rejects(a.receiveMessage(), { code: 'EOF' });
});

test('shutdown cancels a lease', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.send('sent');
  const lease = a.lease(5);
  const behind = assert.rejects(a.send('behind'), { code: 'EPIPE' });
  a.shutdown('send');
  await behind;
  assert.equal(lease.data.length, 0);
  assert.throws(() => lease.send(), { code: 'ERR_INVALID_STATE' });
  lease.cancel();
  assert.equal(String((await b.receiveMessage()).data), 'sent');
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
});
