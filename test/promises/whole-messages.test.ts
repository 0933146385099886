/** receiveMessage, messages() and iteration: whole messages, however long. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { MessageFlag, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { receiveText, socketPair } from '../support/sockets.js';

test('receiveMessage receives a message of any length, into memory of its own', async () => {
  using ends = socketPair();
  const lengths = [1, 64, 4096, 60_000, 65_536, 200_000, 3, 9000];
  const sent = lengths.map((length, index) => Buffer.alloc(length, index + 1));
  const received: Buffer[] = [];
  for (const data of sent) {
    await ends.a.send(data);
    const message = await ends.b.receiveMessage();
    assert.deepEqual([message.fds, message.controlTruncated], [[], false]);
    assert.equal('credentials' in message, false);
    received.push(message.data);
  }
  for (const [index, data] of received.entries()) assert.ok(data.equals(sent[index]!), `${lengths[index]}`);
});

test('transferring a message leaves other messages intact', async () => {
  using ends = socketPair();
  await ends.a.sendMany([Buffer.from('one'), Buffer.from('two'), Buffer.from('three'), Buffer.from('four')]);
  const [one, two] = [await ends.b.receiveMessage(), await ends.b.receiveMessage()];
  const [three, four] = await ends.b.receiveMany();
  for (const { buffer } of [two.data, four!]) {
    try {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    } catch (error) {
      // So newer versions of Node.js; Node.js 20 gives a copy away.
      assert.equal((error as Error).name, 'DataCloneError');
    }
  }
  assert.deepEqual([one.data, two.data, three, four].map(String), ['one', 'two', 'three', 'four']);
});

test('receiveMessage waits, can be aborted, and reports the end of file', async () => {
  using ends = socketPair();
  const controller = new AbortController();
  const aborted = ends.b.receiveMessage({ signal: controller.signal });
  const waiting = ends.b.receiveMessage();
  controller.abort();
  await assert.rejects(aborted, { code: 'ABORT_ERR' });
  await ends.a.send(Buffer.from('late'));
  assert.equal(String((await waiting).data), 'late');
  ends.a.close();
  await assert.rejects(ends.b.receiveMessage(), { code: 'EOF' });
});

test('descriptors come with it, as many as asked for', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  for (const [maxFds, count, truncated] of [
    [undefined, 0, true],
    [0, 0, true],
    [2, 2, true],
    [3, 3, false],
    [253, 3, false],
  ] as const) {
    await ends.a.sendWithFds(Buffer.from('x'), [0, 1, 2]);
    const { fds, controlTruncated } = await ends.b.receiveMessage({ maxFds });
    assert.deepEqual([fds.length, controlTruncated], [count, truncated]);
    for (const fd of fds) fd.close();
  }
  assert.equal(openDescriptors().size, before);
  for (const maxFds of [-1, 254, '1'])
    assert.throws(() => ends.b.receiveMessage({ maxFds: maxFds as never }));
  assert.throws(() => ends.b.messages({ maxFds: 254 }), { code: 'ERR_OUT_OF_RANGE' });
});

test('receiveMessage returns a message kept after EMSGSIZE', async () => {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('long'), [0]);
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  const { data, fds } = await ends.b.receiveMessage({ maxFds: 1 });
  assert.deepEqual([String(data), fds.length], ['long', 1]);
  fds[0]!.close();
});

test("empty messages are delivered with emptyMessages: 'deliver'", async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  await ends.a.send(Buffer.alloc(0));
  await ends.a.sendWithFds(Buffer.alloc(0), [0]);
  assert.equal((await ends.b.receiveMessage()).data.length, 0);
  const { data, fds } = await ends.b.receiveMessage({ maxFds: 1 });
  assert.deepEqual([data.length, fds.length], [0, 1]);
  fds[0]!.close();
});

test('a socket iterates over the data of its messages, until the end of file', async () => {
  using ends = socketPair();
  for (const text of ['one', 'two', 'three']) await ends.a.send(Buffer.from(text));
  ends.a.close();
  const texts: string[] = [];
  for await (const data of ends.b) {
    assert.ok(Buffer.isBuffer(data));
    texts.push(String(data));
  }
  assert.deepEqual(texts, ['one', 'two', 'three']);
  assert.equal(ends.b.isOpen, true);
});

test('messages() iterates over messages with their descriptors', async () => {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('one'), [0]);
  await ends.a.sendWithFds(Buffer.from('two'), [0, 1]);
  ends.a.close();
  const seen: [string, number][] = [];
  for await (const { data, fds } of ends.b.messages({ maxFds: 2 })) {
    seen.push([String(data), fds.length]);
    for (const fd of fds) fd.close();
  }
  assert.deepEqual(seen, [
    ['one', 1],
    ['two', 2],
  ]);
});

test('breaking out loses nothing, and leaves the socket open', async () => {
  using ends = socketPair();
  for (let i = 0; i < 10; i++) await ends.a.send(Buffer.from(`message ${i}`));
  let next = 0;
  for (let times = 0; times < 3; times++) {
    for await (const data of ends.b) {
      assert.equal(String(data), `message ${next++}`);
      if (next % 2 === 0) break;
    }
  }
  assert.equal(ends.b.ioControl('bytesReadable'), 4 * 9);
  assert.equal(await receiveText(ends.b), `message ${next}`);
});

test('iteration throws errors, and then ends', async () => {
  using ends = socketPair();
  await ends.b.send(Buffer.from('never read'));
  await ends.a.send(Buffer.from('last'));
  ends.a.close();
  const texts: string[] = [];
  await assert.rejects(
    async () => {
      for await (const data of ends.b) texts.push(String(data));
    },
    { code: 'ECONNRESET' },
  );
  assert.deepEqual(texts, ['last']);
  const iterator = ends.b.messages({ signal: AbortSignal.abort() });
  await assert.rejects(iterator.next(), { code: 'ABORT_ERR' });
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

test('iteration ends at the end of file', async () => {
  using ends = socketPair();
  ends.b.cancel();
  const iterator = ends.b[Symbol.asyncIterator]();
  const step = iterator.next();
  ends.b.shutdown('receive');
  assert.deepEqual(await step, { done: true, value: undefined });
  assert.equal(
    await ends.b.receive(Buffer.alloc(1), { flags: MessageFlag.dontWait }).catch((e) => e.code),
    'EOF',
  );
});

test('a long message does not keep short ones in memory, nor they it', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.alloc(150_000, 1));
  const long = (await ends.b.receiveMessage()).data;
  await ends.a.send(Buffer.from('short'));
  const short = (await ends.b.receiveMessage()).data;
  assert.equal(long.buffer.byteLength, 150_000);
  assert.ok(short.buffer.byteLength <= 65_536);
  assert.notEqual(short.buffer, long.buffer);
});

test('return() ends the steps of its iterator that wait, and they take no message', async () => {
  using ends = socketPair();
  const [iterator, other] = [ends.b.messages(), ends.b.messages()];
  const steps = [iterator.next(), iterator.next()];
  const others = other.next();
  const last = iterator.next();
  const done = { done: true, value: undefined };
  assert.deepEqual(await iterator.return?.(), done);
  assert.deepEqual(await Promise.all([...steps, last]), [done, done, done]);
  await ends.a.sendMany([Buffer.from('one'), Buffer.from('two')]);
  assert.equal(String((await others).value?.data), 'one');
  assert.equal(await receiveText(ends.b), 'two');
  assert.deepEqual(await iterator.next(), done);
});

for (const [name, cancel] of [
  [
    'ReadableStream',
    async (socket: SeqpacketSocket) => {
      const reader = ReadableStream.from(socket).getReader();
      const read = reader.read();
      await new Promise(setImmediate);
      await reader.cancel();
      await read;
    },
  ],
  [
    'Readable',
    async (socket: SeqpacketSocket) => {
      const readable = Readable.from(socket).resume();
      await new Promise(setImmediate);
      readable.destroy();
      await new Promise((resolve) => readable.on('close', resolve));
    },
  ],
] as const) {
  test(`a ${name} made of a socket takes no message once it was cancelled`, async () => {
    using ends = socketPair();
    await cancel(ends.b);
    await ends.a.send(Buffer.from('one'));
    await new Promise(setImmediate);
    assert.equal(await receiveText(ends.b), 'one');
  });
}
