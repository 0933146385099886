/** sendMany and receiveMany: many messages, few system calls. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { MessageFlag } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { fillSendQueue, forceSendBuffer, receiveText, socketPair } from '../support/sockets.js';

function texts(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(`message ${index}`));
}

test('messages sent by sendMany are received as separate messages', async () => {
  using ends = socketPair();
  const sent = texts(50);
  assert.equal(await ends.a.sendMany(sent), 50);
  const received: Buffer[] = [];
  while (received.length < 50) received.push(...(await ends.b.receiveMany()));
  assert.deepEqual(received.map(String), sent.map(String));
});

test('no messages are sent at once', async () => {
  using ends = socketPair();
  assert.equal(await ends.a.sendMany([]), 0);
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('messages beyond the room in the queue wait, and are sent in order', async () => {
  using ends = socketPair();
  const sent = texts(5000);
  const all = ends.a.sendMany(sent);
  const after = ends.a.send(Buffer.from('after'));
  const received: string[] = [];
  while (received.length < 5001) received.push(...(await ends.b.receiveMany()).map(String));
  assert.equal(await all, 5000);
  await after;
  assert.deepEqual(received, [...sent.map(String), 'after']);
});

test('each of them may be made of several buffers, long, or empty', async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  const long = Buffer.alloc(100_000, 7);
  await ends.a.sendMany([
    [Buffer.from('a '), Buffer.from('b')],
    Buffer.alloc(0),
    long,
    new Uint16Array([0x4141]),
  ]);
  const received = await ends.b.receiveMany();
  assert.deepEqual(
    received.map(({ length }) => length),
    [3, 0, 100_000, 2],
  );
  assert.equal(String(received[0]), 'a b');
  assert.ok(received[2]!.equals(long));
  assert.equal(String(received[3]), 'AA');
});

test('messages of very many parts are spread over system calls', async () => {
  using ends = socketPair();
  const message = Array.from({ length: 700 }, () => Buffer.from('x'));
  assert.equal(await ends.a.sendMany([message, message, message]), 3);
  const received = await ends.b.receiveMany();
  assert.deepEqual(
    received.map(({ length }) => length),
    [700, 700, 700],
  );
});

test('receiveMany waits for the first message only', async () => {
  using ends = socketPair();
  const received = ends.b.receiveMany();
  await ends.a.send(Buffer.from('one'));
  assert.deepEqual((await received).map(String), ['one']);
});

test('receiveMany takes at most max', async () => {
  using ends = socketPair();
  await ends.a.sendMany(texts(100));
  assert.equal((await ends.b.receiveMany({ max: 3 })).length, 3);
  assert.equal((await ends.b.receiveMany({ max: 1 })).length, 1);
  assert.equal((await ends.b.receiveMany({ max: 1000 })).length, 64);
  assert.equal(await receiveText(ends.b), 'message 68');
  for (const max of [0, -1, 1.5, '5']) assert.throws(() => ends.b.receiveMany({ max: max as never }));
});

test('receiveMany reports the end of file after the messages', async () => {
  using ends = socketPair();
  await ends.a.sendMany(texts(3));
  ends.a.close();
  assert.equal((await ends.b.receiveMany()).length, 3);
  for (let times = 0; times < 2; times++) await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
});

test('receiveMany returns the messages before it reports a reset', async () => {
  using ends = socketPair();
  await ends.b.send(Buffer.from('never read'));
  await ends.a.sendMany(texts(3));
  ends.a.close();
  assert.equal((await ends.b.receiveMany()).length, 3);
  await assert.rejects(ends.b.receiveMany(), { code: 'ECONNRESET' });
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
});

test('an empty message that counts as the end splits a batch, and nothing behind it is lost', async () => {
  using ends = socketPair();
  await ends.a.sendMany([Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(0), Buffer.from('two')]);
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['one']);
  assert.throws(() => ends.b.release(), { code: 'ERR_INVALID_STATE' });
  assert.equal(ends.b.ioControl('bytesReadable'), 3);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  await assert.rejects(ends.b.receive(Buffer.alloc(3)), { code: 'EOF' });
  assert.equal(await receiveText(ends.b), 'two');
  ends.b.release().close();
});

/** One message, and as many empty ones as fill a batch. */
const FULL_OF_EMPTY = [Buffer.from('one'), ...Array.from({ length: 63 }, () => Buffer.alloc(0))];

test('empty messages that fill a batch each count as the end, and the next message is received', async () => {
  using ends = socketPair();
  await ends.a.sendMany([...FULL_OF_EMPTY, Buffer.from('two')]);
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['one']);
  for (let i = 0; i < 63; i++) await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['two']);
  await ends.a.sendMany(FULL_OF_EMPTY);
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['one']);
  for (let i = 0; i < 63; i++) await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EOF' });
  const received = ends.b.receiveMany();
  await ends.a.send(Buffer.from('three'));
  assert.deepEqual((await received).map(String), ['three']);
});

test('the end of file is distinguished from empty messages that fill a batch', async () => {
  for (const reset of [false, true]) {
    using ends = socketPair();
    if (reset) await ends.b.send(Buffer.from('never read'));
    await ends.a.sendMany(FULL_OF_EMPTY);
    ends.a.close();
    assert.deepEqual((await ends.b.receiveMany()).map(String), ['one']);
    const codes = new Set<string>();
    for (let i = 0; i < 70; i++) {
      await ends.b.receiveMany().catch((error: NodeJS.ErrnoException) => codes.add(error.code as string));
    }
    assert.deepEqual([...codes].sort(), reset ? ['ECONNRESET', 'EOF'] : ['EOF']);
    ends.b.release().close();
  }
});

test('empty messages right before the end can be received after a batch', async () => {
  using ends = socketPair();
  await ends.a.sendMany([Buffer.alloc(0), Buffer.alloc(0)]);
  ends.b.shutdown('receive');
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  ends.b.setOption('emptyMessages', 'deliver');
  assert.equal((await ends.b.receiveWithFds(Buffer.alloc(1), 0)).bytesRead, 0);
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EOF' });
});

test('a full batch right before the end of file', async () => {
  using ends = socketPair();
  await ends.a.sendMany(texts(64));
  ends.a.close();
  assert.equal((await ends.b.receiveMany()).length, 64);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
});

test("with emptyMessages: 'deliver', a batch may be full of empty messages", async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  await ends.a.sendMany(FULL_OF_EMPTY);
  ends.a.close();
  assert.equal((await ends.b.receiveMany()).length, 64);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
});

test('messages behind an empty one keep their descriptors', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.send(Buffer.alloc(0));
  await ends.a.sendWithFds(Buffer.from('x'), [0, 1]);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  const { fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(1), 2);
  assert.deepEqual([fds.length, controlTruncated], [2, false]);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
});

test('messages behind an empty one keep their credentials', async () => {
  using ends = socketPair();
  ends.b.setOption('passCredentials', true);
  await ends.a.sendMany([Buffer.from('a'), Buffer.alloc(0), Buffer.from('b')]);
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['a']);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  const { data, credentials } = await ends.b.receiveMessage();
  assert.deepEqual([String(data), credentials?.pid], ['b', process.pid]);
});

test('a peek takes away nothing that a batch has fetched', async () => {
  using ends = socketPair();
  await ends.a.sendMany([Buffer.alloc(0), Buffer.alloc(0), Buffer.from('x')]);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  const flags = MessageFlag.peek;
  for (let times = 0; times < 2; times++) {
    await assert.rejects(ends.b.receive(Buffer.alloc(1), { flags }), { code: 'EOF' });
  }
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EOF' });
  assert.equal(await ends.b.receive(Buffer.alloc(1), { flags }), 1);
  assert.equal(await ends.b.receive(Buffer.alloc(1)), 1);
});

test('a refused sendMany reports that no message was sent', async () => {
  using ends = socketPair();
  const signal = AbortSignal.abort();
  await assert.rejects(ends.a.sendMany(texts(2), { signal }), { code: 'ABORT_ERR', messagesSent: 0 });
  ends.a.close();
  await assert.rejects(ends.a.sendMany(texts(2)), { code: 'EBADF', messagesSent: 0 });
});

test('a message held after EMSGSIZE is the first of a batch', async () => {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('too long'), [0]);
  await ends.a.send(Buffer.from('next'));
  const before = openDescriptors().size;
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['too long']);
  assert.deepEqual((await ends.b.receiveMany()).map(String), ['next']);
  assert.equal(openDescriptors().size, before);
});

test('descriptors that come with the messages of a batch are closed', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  for (let i = 0; i < 5; i++) await ends.a.sendWithFds(Buffer.from('x'), [0, 1]);
  assert.equal((await ends.b.receiveMany()).length, 5);
  assert.equal(openDescriptors().size, before);
});

test('descriptors are not lost with the memory of a long batch', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  forceSendBuffer(ends.a, 1 << 24);
  await ends.a.sendWithFds(Buffer.alloc(2_000_000, 1), [0]);
  await ends.a.send(Buffer.alloc(0));
  await ends.a.sendWithFds(Buffer.from('next'), [0, 1]);
  const [long, ...others] = await ends.b.receiveMany();
  assert.ok(long?.equals(Buffer.alloc(2_000_000, 1)));
  assert.equal(others.length, 0);
  assert.equal(openDescriptors().size, before + 2);
  await assert.rejects(ends.b.receiveMany(), { code: 'EOF' });
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(4), 2);
  assert.equal(fds.length, 2);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
});

test('an aborted sendMany reports the number of sent messages, and those arrive', async () => {
  using ends = socketPair();
  const controller = new AbortController();
  const sent = ends.a.sendMany(texts(1000), { signal: controller.signal });
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  controller.abort();
  const error = await sent.then(
    () => assert.fail('it was aborted'),
    (reason) => reason,
  );
  assert.equal(error.code, 'ABORT_ERR');
  assert.ok(error.messagesSent > 0 && error.messagesSent < 1000);
  ends.a.close();
  let received = 0;
  for await (const data of ends.b) assert.equal(String(data), `message ${received++}`);
  assert.equal(received, error.messagesSent);
});

test('a sendMany whose peer closes reports the number of sent messages', async () => {
  using ends = socketPair();
  const sent = ends.a.sendMany(texts(1000));
  sent.catch(() => undefined);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  ends.b.close();
  await assert.rejects(sent, (error: Error & { code: string; messagesSent: number }) => {
    assert.match(error.code, /^(EPIPE|ECONNRESET)$/);
    return error.messagesSent > 0;
  });
});

test('a full queue, then sendMany, cancelled: none was sent', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const sent = ends.a.sendMany(texts(3));
  ends.a.cancel();
  await assert.rejects(sent, { code: 'ECANCELED', messagesSent: 0 });
  for (let i = 0; i < queued; i++) await ends.b.receive(Buffer.alloc(64));
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('64 messages take one system call each way', { skip: missing('strace') }, () => {
  const script = `
    import { pair } from 'seqpacket';
    const [a, b] = pair();
    const messages = Array.from({ length: 64 }, () => Buffer.alloc(64));
    await a.sendMany(messages);
    const received = await b.receiveMany();
    console.log(received.length);
    process.exit();
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(
    'strace',
    ['-f', '-qq', '-e', 'trace=sendmmsg,recvmmsg,sendmsg,recvmsg', ...node],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(stdout, '64\n');
  const calls = [...stderr.matchAll(/(send|recv)m?msg\(/g)].map(([call]) => call);
  assert.deepEqual(calls, ['sendmmsg(', 'recvmmsg(']);
});

test('arguments are checked', () => {
  using ends = socketPair();
  assert.throws(() => ends.a.sendMany('text' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.a.sendMany([Buffer.alloc(1), 5 as never]), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.a.sendMany([], { signal: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
});
