/** A channel keeps messages whole, in order, and apart, whatever their length and wherever they are in the ring. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageBatch, MessageFlag } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { channelAndPeer } from '../support/raw-peer.js';

/** The longest message in a ring of 4,096 bytes. */
const LONGEST = 4096 / 2 - 8;

test('messages of every length go around the ring', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const buffer = Buffer.alloc(LONGEST);
  for (let length = 0; length <= LONGEST; length++) {
    const message = Buffer.alloc(length, length);
    assert.equal(await a.send(message), length);
    if (length % 2 === 0) {
      assert.equal(await b.receive(buffer), length);
      assert.deepEqual(buffer.subarray(0, length), message);
    } else {
      assert.deepEqual((await b.receiveMessage()).data, message);
    }
  }
  assert.equal(b.counters.messagesReceived, LONGEST + 1);
  assert.equal(b.counters.bytesReceived, a.counters.bytesSent);
});

test('the longest message goes through from every position', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  for (let step = 0; step < 1024; step++) {
    const message = Buffer.alloc(LONGEST, step);
    await a.send(message);
    assert.deepEqual((await b.receiveMessage()).data, message);
    await a.send('');
    assert.equal((await b.receiveMessage()).data.length, 0);
  }
});

test('a message that is longer than half the ring is refused, and says so', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const tooLong = Buffer.alloc(LONGEST + 1);
  const error = { code: 'EMSGSIZE', messageSize: LONGEST + 1, message: /half of the ring, 2040 bytes/ };
  await assert.rejects(a.send(tooLong), error);
  await assert.rejects(a.sendWithFds(tooLong, [0]), error);
  await assert.rejects(a.sendMany(['first', tooLong]), { ...error, messagesSent: 1 });
  assert.throws(() => a.trySend(tooLong), error);
  assert.throws(() => a.sendSync(tooLong), error);
  assert.throws(() => a.lease(LONGEST + 1), error);
  assert.equal(String((await b.receiveMessage()).data), 'first');
  await a.send('the next');
  assert.equal(String((await b.receiveMessage()).data), 'the next');
});

test('what can be sent: the same types as on a socket', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const shared = new SharedArrayBuffer(2);
  new Uint8Array(shared).set([1, 2]);
  const data = [
    'text é',
    Buffer.from('buffer'),
    new Uint16Array([1, 2]),
    new DataView(new ArrayBuffer(3), 1),
  ];
  const expected = [Buffer.from('text é'), Buffer.from('buffer'), Buffer.from([1, 0, 2, 0]), Buffer.alloc(2)];
  for (const each of data) await a.send(each);
  await a.send(shared);
  await a.send(Uint8Array.of(7).buffer);
  await a.send(['several ', Buffer.from('parts'), '', new Uint8Array(0)]);
  expected.push(Buffer.from([1, 2]), Buffer.from([7]), Buffer.from('several parts'));
  for (const each of expected) assert.deepEqual((await b.receiveMessage()).data, each);
});

test('an empty message is not the end of file', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.send('');
  await a.sendMany(['', 'x', '']);
  assert.equal(await b.receive(Buffer.alloc(5)), 0);
  assert.deepEqual((await b.receiveMany()).map(String), ['', 'x', '']);
  await a.send('');
  a.close();
  assert.equal((await b.receiveMessage()).data.length, 0);
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
});

test('a message that is longer than the buffer is kept whole, with its descriptors', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendWithFds('a long message', [0]);
  await assert.rejects(b.receive(Buffer.alloc(3)), { code: 'EMSGSIZE', messageSize: 14 });
  assert.throws(() => b.tryReceive(Buffer.alloc(13)), { code: 'EMSGSIZE', messageSize: 14 });
  await assert.rejects(b.receiveBatch(new MessageBatch({ messages: 2, bytes: 13 })), { code: 'EMSGSIZE' });
  const { data, fds } = await b.receiveMessage({ maxFds: 1 });
  assert.equal(String(data), 'a long message');
  assert.equal(fds.length, 1);
  fds[0]?.close();
});

test('one message into several buffers', async () => {
  using ends = await channelPair();
  const parts = [Buffer.alloc(2), new Uint8Array(0), Buffer.alloc(3), Buffer.alloc(4, '.')];
  await ends.a.send('abcdefg');
  assert.equal(await ends.b.receive(parts), 7);
  assert.equal(Buffer.concat(parts).toString(), 'abcdefg..');
});

test('flags: peek, truncate, dontWait', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const { peek, truncate, dontWait } = MessageFlag;
  const buffer = Buffer.alloc(4);
  await assert.rejects(b.receive(buffer, { flags: dontWait }), { code: 'EAGAIN' });
  await a.sendWithFds('message', [0]);
  await a.send('next');
  assert.equal(await b.receive(Buffer.alloc(0), { flags: peek | truncate }), 7);
  const peeked = await b.receiveWithFds(buffer, 1, { flags: peek | truncate });
  assert.deepEqual([peeked.bytesRead, peeked.fds.length, String(buffer)], [7, 1, 'mess']);
  peeked.fds[0]?.close();
  const { bytesRead, fds } = await b.receiveWithFds(buffer, 1, { flags: truncate });
  assert.deepEqual([bytesRead, fds.length], [7, 1]);
  fds[0]?.close();
  assert.equal(await b.receive(buffer, { flags: dontWait }), 4);
  assert.equal(String(buffer), 'next');
  a.close();
  await assert.rejects(b.receive(buffer, { flags: dontWait }), { code: 'EOF' });
});

test('received memory is not changed by later messages', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const kept: Buffer[] = [];
  for (let round = 0; round < 200; round++) {
    await a.sendMany(['', 'abc', Buffer.alloc(100 + round, round)]);
    if (round % 2 === 0) kept.push(...(await b.receiveMany()));
    else for (let i = 0; i < 3; i++) kept.push((await b.receiveMessage()).data);
  }
  for (let round = 0; round < 200; round++) {
    const [empty, short, long] = kept.slice(3 * round);
    assert.deepEqual([empty?.length, String(short)], [0, 'abc']);
    assert.deepEqual(long, Buffer.alloc(100 + round, round));
  }
});

test('batches without objects', async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const out = new MessageBatch({ messages: 200, bytes: 40 });
  const into = new MessageBatch({ messages: 7, bytes: 40 });
  for (let i = 0; i < 200; i++) out.push(`message ${i}`.padEnd(i % 41, '.'));
  const sent = a.sendBatch(out);
  const received: string[] = [];
  while (received.length < 200) {
    const count = await b.receiveBatch(into);
    assert.ok(count >= 1 && count <= 7 && count === into.length);
    received.push(...Array.from(into, String));
  }
  assert.deepEqual(received, Array.from(out, String));
  assert.equal(await sent, 200);
});

test('a batch ends before a message that is longer than a slot', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const batch = new MessageBatch({ messages: 5, bytes: 4 });
  await a.sendMany(['one', 'two', 'three', 'four']);
  assert.equal(await b.receiveBatch(batch), 2);
  await assert.rejects(b.receiveBatch(batch), { code: 'EMSGSIZE', messageSize: 5 });
  assert.equal(String((await b.receiveMessage()).data), 'three');
  assert.equal(await b.receiveBatch(batch), 1);
  assert.deepEqual(Array.from(batch, String), ['four']);
});

test('iteration ends with the end of file', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.sendMany(['one', '', 'three']);
  await a.sendWithFds('four', [0]);
  a.shutdown('send');
  const received: string[] = [];
  for await (const data of b) {
    received.push(String(data));
    if (received.length === 2) break;
  }
  for await (const { data, fds } of b.messages({ maxFds: 1 })) {
    received.push(`${data} ${fds.length}`);
    for (const fd of fds) fd.close();
  }
  assert.deepEqual(received, ['one', '', 'three 0', 'four 1']);
});

/** A view that changes its length between two readings stands for another thread that grows the memory. */
class Growing extends Uint8Array {
  #readings = 0;
  override get length(): number {
    return this.#readings++ < 2 ? 1 : this.byteLength;
  }
}

test('data that became longer while it was copied ends the channel, instead of damaging other messages', async () => {
  // The second one is longer than the ring.
  for (const bytes of [2, 5000]) {
    for (const fds of [[], [0]]) {
      using ends = await channelPair({ bytes: 4096 });
      const { a, b } = ends;
      assert.throws(() => a.trySend(new Growing(bytes), fds), { code: 'EPROTO' });
      await assert.rejects(b.receiveMessage(), { code: 'EOF' });
    }
  }
});

test('data that becomes longer while it is copied sends no descriptors', async () => {
  using ends = await channelAndPeer();
  assert.throws(() => ends.channel.trySend(new Growing(5000), [0]), { code: 'EPROTO' });
  await assert.rejects(ends.socket.receiveMessage({ maxFds: 1 }), { code: 'EOF' });
});

test('empty views whose memory is detached while they wait', async () => {
  const detachedSoon = () => {
    const view = new Uint8Array(new ArrayBuffer(8), 0, 0);
    setImmediate(() => structuredClone(view.buffer, { transfer: [view.buffer] }));
    return view;
  };
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  fillRing(a, 100);
  const data = Buffer.alloc(100);
  // Each of the messages that fill the ring needs to be received first.
  const sends = [a.send(data), a.send(detachedSoon()), a.send(['x', detachedSoon()])];
  await sleep(1);
  let received = await b.receiveMessage();
  while (received.data.length > 0) received = await b.receiveMessage();
  assert.equal(String((await b.receiveMessage()).data), 'x');
  assert.deepEqual(await Promise.all(sends), [100, 0, 1]);
  const receiving = b.receive(detachedSoon());
  await sleep(1);
  await a.send('');
  assert.equal(await receiving, 0);
});
