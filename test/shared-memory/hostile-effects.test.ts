/** What a peer that violates the format could affect beyond its own channel: descriptors, memory, other sockets. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { pair, type SharedChannel } from 'seqpacket';
import { fillRing } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { channelAndPeer, PRODUCER_SLEEPS, TAIL, writeRecord } from '../support/raw-peer.js';
import { settlesSoon } from '../support/sockets.js';

const WAKE_UP = Buffer.of(1);
const DESCRIPTORS = Buffer.of(2);
const UNKNOWN = Buffer.of(99);

/** Ends the channel by an impossible tail. */
async function violate({ channel, peer }: Awaited<ReturnType<typeof channelAndPeer>>): Promise<void> {
  Atomics.store(peer.outgoing, TAIL, 4);
  await assert.rejects(channel.receiveMessage(), { code: 'EPROTO' });
  assert.equal(channel.isOpen, false);
}

/** Two sockets, of which one has this number. */
function socketsWithNumber(number: number): Disposable & { fd: number; nothingArrived(): boolean } {
  const [one, other] = pair();
  assert.ok(one.fd === number || other.fd === number);
  return {
    fd: number,
    nothingArrived: () =>
      one.tryReceive(Buffer.alloc(9)) === null && other.tryReceive(Buffer.alloc(9)) === null,
    [Symbol.dispose]() {
      one.close();
      other.close();
    },
  };
}

test('shutdown and cancel after a violation do not use the number of the closed socket', async () => {
  const attempts: Readonly<Record<string, (channel: SharedChannel) => void>> = {
    shutdown: (channel) => assert.throws(() => channel.shutdown('send'), { code: 'EPROTO' }),
    cancel: (channel) => channel.cancel(),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    using ends = await channelAndPeer();
    const number = ends.channel.socket.fd;
    if (what === 'cancel') {
      // The end of the direction waits for room on the socket.
      while (ends.socket.trySend('x'));
      ends.channel.shutdown('send');
    }
    await violate(ends);
    using others = socketsWithNumber(number);
    attempt(ends.channel);
    await setImmediate();
    assert.ok(others.nothingArrived(), what);
  }
});

test('a send that is not tried at first reports the violation', async () => {
  using ends = await channelAndPeer();
  const { channel } = ends;
  fillRing(channel);
  for (let i = 0; i < 10; i++) {
    const waiting = channel.send(Buffer.alloc(100));
    channel.cancel();
    await assert.rejects(waiting, { code: 'ECANCELED' });
  }
  await violate(ends);
  for (let i = 0; i < 10; i++) {
    await assert.rejects(channel.send('x'), { code: 'EPROTO' });
    await assert.rejects(channel.wait('write'), { code: 'EPROTO' });
  }
});

test('closing a channel twice does not close the socket that was opened again', async () => {
  using ends = await channelAndPeer();
  const { channel, peer } = ends;
  const { socket } = channel;
  Atomics.store(peer.outgoing, TAIL, 4);
  assert.throws(() => channel.tryReceive(Buffer.alloc(1)), { code: 'EPROTO' });
  channel.close();
  socket.open();
  await setImmediate();
  assert.equal(socket.isOpen, true);
  channel.close();
  assert.equal(socket.isOpen, true);
  assert.equal(channel.isOpen, false);
  socket.close();
});

test('a received message keeps its descriptors although the wake-up finds a violation', async () => {
  using ends = await channelAndPeer();
  const { channel, peer, socket } = ends;
  const before = openDescriptors().size;
  const waiting = channel.wait('read');
  writeRecord(peer, 0, 8, 2, 16);
  await socket.sendWithFds(DESCRIPTORS, [0, 1]);
  await waiting;
  await socket.send(UNKNOWN);
  socket.close();
  Atomics.store(peer.outgoing, PRODUCER_SLEEPS, 1);
  const { data, fds } = await channel.receiveMessage({ maxFds: 2 });
  assert.deepEqual([data.length, fds.length], [8, 2]);
  for (const each of fds) each.close();
  await assert.rejects(channel.receiveMessage(), { code: 'EPROTO' });
  assert.equal(openDescriptors().size, before - 2);
});

test('the release of a borrowed message does not throw although the wake-up finds a violation', async () => {
  using ends = await channelAndPeer();
  const { channel, peer, socket } = ends;
  writeRecord(peer, 0, 8, 1, 16);
  const borrowed = await channel.borrow();
  await socket.send(UNKNOWN);
  socket.close();
  Atomics.store(peer.outgoing, PRODUCER_SLEEPS, 1);
  borrowed.release();
  await assert.rejects(channel.receiveMessage(), { code: 'EPROTO' });
});

test('descriptors that this process cannot open are counted, too', () => {
  const script = `
    import { channelAndPeer } from '${new URL('../support/raw-peer.js', import.meta.url)}';
    import { openSync } from 'node:fs';
    const { channel, socket } = await channelAndPeer();
    const waiting = channel.receiveMessage().catch(({ message }) => message);
    try { for (;;) openSync('/dev/null'); } catch {}
    let sent = 0;
    waiting.then((message) => { console.log(sent < 600 && message); process.exit(); });
    while (sent < 2000) {
      // A send that waits would duplicate the descriptor.
      if (socket.trySend(Buffer.of(2), [0])) sent++;
      else await new Promise(setImmediate);
    }
    console.log('still open');
    process.exit();`;
  const command = 'ulimit -n 80; exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  assert.match(stdout, /more than 253 descriptors in advance/, stderr);
});

test('a borrowed message stays mapped, while a thread of the pool reads it, although the peer violates the format', () => {
  const script = `
    import { channelAndPeer, writeRecord, TAIL } from '${new URL('../support/raw-peer.js', import.meta.url)}';
    import { mappedRegions } from '${new URL('../support/channels.js', import.meta.url)}';
    import { gzip } from 'node:zlib';
    import { promisify } from 'node:util';
    import { setTimeout as sleep } from 'node:timers/promises';
    const ends = await channelAndPeer({ capacity: 2 ** 27 });
    const { channel, peer } = ends;
    const length = 2 ** 26 - 8;
    writeRecord(peer, 0, length, 1, length + 8);
    const borrowed = await channel.borrow();
    const lease = channel.lease(100);
    const zipping = promisify(gzip)(borrowed.data);
    Atomics.store(peer.outgoing, TAIL, length + 12);
    console.log(await channel.receiveMessage().catch(({ code }) => code), channel.isOpen);
    await zipping;
    console.log(borrowed.data.length === length, lease.data.length);
    try { lease.send(); } catch ({ code }) { console.log(code); }
    borrowed.release();
    ends[Symbol.dispose]();
    console.log(borrowed.data.length, lease.data.length);`;
  const { stdout, stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  assert.equal(stdout, 'EPROTO false\ntrue 100\nEPROTO\n0 0\n', `${signal}\n${stderr}`);
});

test('descriptors after many wake-ups are found, and other work of the thread goes on', async (t) => {
  using ends = await channelAndPeer();
  const { channel, peer, socket } = ends;
  socket.setOption('sendBufferSize', 1 << 22);
  let wakeUps = 0;
  while (wakeUps < 4000 && socket.trySend(WAKE_UP)) wakeUps++;
  if (wakeUps < 4000) return t.skip('net.core.wmem_max is too small');
  socket.trySend(DESCRIPTORS, [0]);
  writeRecord(peer, 0, 8, 2, 16);
  assert.equal(channel.tryReceive(Buffer.alloc(8)), null);
  const { fds } = await channel.receiveMessage({ maxFds: 1 });
  assert.equal(fds.length, 1);
  fds[0]?.close();
  while (socket.trySend(WAKE_UP));
  writeRecord(peer, 16, 8, 2, 32);
  await assert.rejects(channel.receiveMessage(), { code: 'EPROTO', message: /but not the descriptors/ });
});

test('a send does not wait for what an aborted one has waited for', async () => {
  using ends = await channelAndPeer();
  const { channel } = ends;
  await channel.sendWithFds('all', Array(253).fill(0));
  for (let i = 0; i < 10; i++) {
    const waiting = channel.sendWithFds('one more', [0]);
    channel.cancel();
    await assert.rejects(waiting, { code: 'ECANCELED' });
  }
  const sends = Array.from({ length: 3 }, () => channel.send('x'));
  for (const each of sends) assert.equal(await settlesSoon(each), true);
});

test('a send that waits for room in the ring does not poll the socket for room', async () => {
  using ends = await channelAndPeer();
  const { channel, socket } = ends;
  channel.socket.setOption('sendBufferSize', 4096);
  const full = channel.sendWithFds('x', [0]);
  const sends = [full];
  while (await settlesSoon(sends.at(-1) as Promise<number>)) sends.push(channel.sendWithFds('x', [0]));
  const [fits, waits] = [channel.send(Buffer.alloc(1000)), channel.send(Buffer.alloc(2040))];
  const more = channel.send(Buffer.alloc(2040)).catch(({ code }) => code);
  waits.catch(() => undefined);
  // Reads the socket, but not the ring.
  for (let i = 0; i < sends.length; i++) {
    for (const fd of (await socket.receiveMessage({ maxFds: 1 })).fds) fd.close();
  }
  await Promise.all(sends);
  await fits;
  const before = performance.eventLoopUtilization();
  await sleep(200);
  const { utilization } = performance.eventLoopUtilization(before);
  assert.ok(utilization < 0.5, `the event loop is busy: ${utilization}`);
  channel.cancel();
  assert.equal(await more, 'ECANCELED');
});

test('a second shutdown sends nothing', async () => {
  using ends = await channelAndPeer();
  const { channel, socket } = ends;
  channel.shutdown('send');
  channel.shutdown('send');
  assert.deepEqual([...(await socket.receiveMessage()).data], [3]);
  assert.equal(socket.tryReceive(Buffer.alloc(9)), null);
});
