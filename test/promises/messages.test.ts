import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageFlag } from 'seqpacket';
import { receiveText, socketPair } from '../support/sockets.js';

test('one sent message is received as one message', async () => {
  using ends = socketPair();
  const lengths = [1, 2, 100, 4096, 65536, 200_000];
  for (const length of lengths) assert.equal(await ends.a.send(Buffer.alloc(length, length)), length);
  const buffer = Buffer.alloc(300_000);
  for (const length of lengths) {
    buffer.fill(0);
    assert.equal(await ends.b.receive(buffer), length);
    assert.deepEqual(buffer.subarray(0, length), Buffer.alloc(length, length));
    assert.equal(buffer[length], 0, 'nothing is written behind the message');
  }
});

test('both directions work at once', async () => {
  using ends = socketPair();
  const received = Promise.all([receiveText(ends.a), receiveText(ends.b)]);
  await Promise.all([ends.a.send(Buffer.from('from a')), ends.b.send(Buffer.from('from b'))]);
  assert.deepEqual(await received, ['from b', 'from a']);
});

test('a receive waits for the message without blocking the event loop', async () => {
  using ends = socketPair();
  const buffer = Buffer.alloc(10);
  const received = ends.b.receive(buffer);
  let turns = 0;
  for (; turns < 10; turns++) await new Promise(setImmediate);
  assert.equal(turns, 10);
  await ends.a.send(Buffer.from('late'));
  assert.equal(await received, 4);
});

test('any view of memory will do, and only its own bytes are touched', async () => {
  using ends = socketPair();
  const memory = new Uint16Array([0x1111, 0x2222, 0x3333, 0x4444]);
  assert.equal(await ends.a.send(memory.subarray(1, 3)), 4);
  assert.equal(await ends.a.send(new DataView(memory.buffer, 6, 2)), 2);

  const target = new Float64Array(3);
  const view = new Uint8Array(target.buffer);
  assert.equal(await ends.b.receive(target.subarray(1, 2)), 4);
  assert.deepEqual([...view.subarray(0, 14)], [0, 0, 0, 0, 0, 0, 0, 0, 0x22, 0x22, 0x33, 0x33, 0, 0]);
  assert.equal(await ends.b.receive(new DataView(target.buffer, 22, 2)), 2);
  assert.deepEqual([...view.subarray(20)], [0, 0, 0x44, 0x44]);
});

test('shared memory will do', async () => {
  using ends = socketPair();
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  shared.set([1, 2, 3]);
  await ends.a.send(shared);
  const target = new Uint8Array(new SharedArrayBuffer(8));
  assert.equal(await ends.b.receive(target), 8);
  assert.deepEqual([...target], [...shared]);
});

test('several buffers are sent as one message and filled in their order', async () => {
  using ends = socketPair();
  await ends.a.send([Buffer.from('one '), new Uint8Array(0), Buffer.from('message')]);
  const parts = [Buffer.alloc(3), Buffer.alloc(5), Buffer.alloc(10)] as const;
  assert.equal(await ends.b.receive(parts), 11);
  assert.equal(Buffer.concat(parts).toString('utf8', 0, 11), 'one message');
});

test('peek leaves the message where it is', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('first'));
  await ends.a.send(Buffer.from('second'));
  const buffer = Buffer.alloc(10);
  for (let times = 0; times < 3; times++) {
    assert.equal(await ends.b.receive(buffer, { flags: MessageFlag.peek }), 5);
    assert.equal(buffer.toString('utf8', 0, 5), 'first');
  }
  assert.equal(await receiveText(ends.b), 'first');
  assert.equal(await receiveText(ends.b), 'second');
});

test('peek waits like any receive', async () => {
  using ends = socketPair();
  const buffer = Buffer.alloc(10);
  const peeked = ends.b.receive(buffer, { flags: MessageFlag.peek });
  await ends.a.send(Buffer.from('late'));
  assert.equal(await peeked, 4);
  assert.equal(await receiveText(ends.b), 'late');
});

test('peek with truncate returns the length of the next message', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.alloc(1000));
  const flags = MessageFlag.peek | MessageFlag.truncate;
  assert.equal(await ends.b.receive(Buffer.alloc(0), { flags }), 1000);
  assert.equal((await receiveText(ends.b)).length, 1000);
});

test('truncate lets the rest of a message go, as recvmsg(2) does', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('long message'));
  await ends.a.send(Buffer.from('next'));
  const buffer = Buffer.alloc(4);
  assert.equal(await ends.b.receive(buffer, { flags: MessageFlag.truncate }), 12);
  assert.equal(buffer.toString(), 'long');
  assert.equal(await receiveText(ends.b), 'next');
});

test('dontWait rejects with EAGAIN where the operation would wait', async () => {
  using ends = socketPair();
  const flags = MessageFlag.dontWait;
  await assert.rejects(ends.b.receive(Buffer.alloc(1), { flags }), { code: 'EAGAIN', syscall: 'recvmsg' });
  await ends.a.send(Buffer.from('x'), { flags });
  assert.equal(await ends.b.receive(Buffer.alloc(1), { flags }), 1);
});

test('a closed end is the end of the file, after all that was sent', async () => {
  using ends = socketPair();
  for (let i = 0; i < 100; i++) await ends.a.send(Buffer.from([i]));
  ends.a.close();
  const buffer = Buffer.alloc(10);
  for (let i = 0; i < 100; i++) {
    assert.equal(await ends.b.receive(buffer), 1);
    assert.equal(buffer[0], i);
  }
  for (let times = 0; times < 2; times++) {
    await assert.rejects(ends.b.receive(buffer), { code: 'EOF', errno: -4095, syscall: 'recvmsg' });
  }
});

test('an empty message is reported as end of file by default, and later messages are still received', async () => {
  using ends = socketPair();
  assert.equal(await ends.a.send(Buffer.alloc(0)), 0);
  await ends.a.send(Buffer.from('after'));
  await assert.rejects(ends.b.receive(Buffer.alloc(10)), { code: 'EOF' });
  assert.equal(await receiveText(ends.b), 'after');
});

test('bytesReadable counts the bytes of all waiting messages', async () => {
  using ends = socketPair();
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
  await ends.a.send(Buffer.alloc(10));
  await ends.a.send(Buffer.alloc(32));
  assert.equal(ends.b.ioControl('bytesReadable'), 42);
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  assert.equal(ends.b.ioControl('bytesReadable'), 42);
  await receiveText(ends.b);
  assert.equal(ends.b.ioControl('bytesReadable'), 32);
});

test('no message is delivered after the iteration is done, however many next() there are', async () => {
  using ends = socketPair();
  const iterator = ends.b[Symbol.asyncIterator]();
  const steps = [iterator.next(), iterator.next(), iterator.next()];
  await ends.a.send(Buffer.from('first'));
  await ends.a.send(Buffer.alloc(0));
  await ends.a.send(Buffer.from('behind the end'));
  const results = await Promise.all(steps);
  assert.deepEqual(
    results.map(({ done, value }) => [done, value && String(value)]),
    [
      [false, 'first'],
      [true, undefined],
      [true, undefined],
    ],
  );
  assert.equal(await receiveText(ends.b), 'behind the end');
});
