/** Order on a channel: of all kinds of sends and receives, whether they wait or not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageBatch, pair, shareMemory } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { CAPACITY, HEAD, rawPeer, TAIL, writeRecord } from '../support/raw-peer.js';

test('sends that wait for room keep their order, whatever their kind', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const batch = new MessageBatch({ messages: 3, bytes: 10 });
  for (const each of ['b0', 'b1', 'b2']) batch.push(each);
  const filled = fillRing(a, 500);
  const sends = [
    a.send('1'),
    a.sendWithFds('2', [0]),
    a.sendMany(['3', '4']),
    a.send(Buffer.alloc(2000, '5')),
    a.sendBatch(batch),
    a.sendWithFds('6', [0, 1]),
    a.send('7'),
  ];
  const settled: number[] = [];
  for (const [index, each] of sends.entries()) each.then(() => settled.push(index));
  assert.equal(a.trySend('x'), false);
  for (let i = 0; i < filled; i++) assert.equal((await b.receiveMessage()).data.length, 500);
  const received: string[] = [];
  for (let i = 0; i < 10; i++) {
    const { data, fds } = await b.receiveMessage({ maxFds: 9 });
    received.push(`${String(data).slice(0, 3)}${'*'.repeat(fds.length)}`);
    for (const fd of fds) fd.close();
  }
  assert.deepEqual(received, ['1', '2*', '3', '4', '555', 'b0', 'b1', 'b2', '6**', '7']);
  await Promise.all(sends);
  assert.deepEqual(settled, [0, 1, 2, 3, 4, 5, 6]);
});

test('receives that wait are served in the order of the calls', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const buffer = Buffer.alloc(10);
  const settled: string[] = [];
  const note = (what: string) => () => void settled.push(what);
  const receives = [
    b.receive(buffer).then(note('receive')),
    b.receiveMessage().then(note('receiveMessage')),
    b.receiveWithFds(Buffer.alloc(10), 1).then(({ fds }) => {
      for (const fd of fds) fd.close();
      note('receiveWithFds')();
    }),
    b.borrow().then((borrowed) => {
      settled.push(`borrow ${borrowed.data}`);
      borrowed.release();
    }),
    b.wait('read').then(note('wait')),
    b.receiveMany().then((messages) => void settled.push(`receiveMany ${messages}`)),
  ];
  assert.equal(b.tryReceive(buffer), null);
  for (const each of ['1', '2']) await a.send(each);
  await a.sendWithFds('3', [0]);
  await a.sendMany(['4', '5', '6']);
  await Promise.all(receives);
  assert.equal(String(buffer.subarray(0, 1)), '1');
  const last = ['borrow 4', 'wait', 'receiveMany 5,6'];
  assert.deepEqual(settled, ['receive', 'receiveMessage', 'receiveWithFds', ...last]);
});

test('descriptors belong to their messages, among messages without', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const COUNT = 1500;
  const sending = (async () => {
    for (let i = 0; i < COUNT; i++) {
      const fds = Array.from({ length: i % 4 }, () => i % 2);
      await (i % 3 === 0 ? a.send(`${i}`) : a.sendWithFds(`${i}`, fds));
    }
  })();
  for (let i = 0; i < COUNT; i++) {
    const { data, fds } = await b.receiveMessage({ maxFds: 3 });
    assert.equal(String(data), `${i}`);
    assert.equal(fds.length, i % 3 === 0 ? 0 : i % 4);
    for (const fd of fds) fd.close();
  }
  await sending;
});

test('a send goes on although a receive has received its wake-up', async () => {
  const [here, socket] = pair();
  const [channel, peer] = await Promise.all([shareMemory(here, { bytes: CAPACITY }), rawPeer(socket)]);
  fillRing(channel, 100);
  const sent = channel.send(Buffer.alloc(100));
  // The peer makes room, and sends descriptors and their message. The receive looks for the descriptors.
  Atomics.store(peer.incoming, HEAD, Atomics.load(peer.incoming, TAIL));
  socket.trySend(Uint8Array.of(1));
  socket.trySend(Uint8Array.of(2), [0]);
  writeRecord(peer, 0, 4, 2, 16);
  const { fds } = await channel.receiveMessage({ maxFds: 1 });
  assert.equal(fds.length, 1);
  fds[0]?.close();
  assert.equal(await sent, 100);
  channel.close();
  socket.close();
});
