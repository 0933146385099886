/** MessageBatch, receiveBatch and sendBatch: many messages in one memory, few system calls, no objects. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, MessageBatch, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { fillSendQueue, listeningAt, receiveText, settlesSoon, socketPair } from '../support/sockets.js';

const SLOT = 16;

function batchOf(...messages: string[]): MessageBatch {
  const batch = new MessageBatch({ messages: messages.length, bytes: SLOT });
  for (const message of messages) assert.equal(batch.push(message), true);
  return batch;
}

const texts = (batch: MessageBatch) => [...batch].map(String);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

/** Receives batches until the end of file or another error. */
async function receiveAll(socket: SeqpacketSocket, batch: MessageBatch): Promise<string[]> {
  const received: string[] = [];
  for (;;) {
    try {
      await socket.receiveBatch(batch);
    } catch (error) {
      return [...received, (error as NodeJS.ErrnoException).code as string];
    }
    received.push(...texts(batch));
  }
}

test('a batch contains copies of the messages, in one memory', () => {
  const batch = new MessageBatch({ messages: 4, bytes: SLOT });
  const data = Buffer.from('one');
  assert.deepEqual([batch.capacity, batch.length, batch.data.length], [4, 0, 4 * SLOT]);
  assert.equal(batch.push(data), true);
  data.fill(0);
  assert.equal(batch.push([Buffer.from('t'), 'wo']), true);
  assert.equal(batch.push(new Uint16Array([0x4141])), true);
  assert.equal(batch.push(''), true);
  assert.equal(batch.length, 4);
  assert.deepEqual(texts(batch), ['one', 'two', 'AA', '']);
  assert.deepEqual([...batch.offsets], [0, SLOT, 2 * SLOT, 3 * SLOT]);
  assert.deepEqual([...batch.lengths], [3, 3, 2, 0]);
  assert.equal(batch.at(1).buffer, batch.data.buffer);
  assert.equal(batch.at(1).byteOffset - batch.data.byteOffset, SLOT);
  batch.clear();
  assert.deepEqual([batch.length, texts(batch)], [0, []]);
});

test('a full batch accepts no message, and a message longer than a slot is an error', () => {
  const batch = batchOf('one', 'two');
  assert.equal(batch.push('three'), false);
  const long = { code: 'ERR_OUT_OF_RANGE', name: 'RangeError' };
  assert.throws(() => batch.push(Buffer.alloc(SLOT + 1)), long);
  batch.clear();
  assert.throws(() => batch.push(Buffer.alloc(SLOT + 1)), long);
  assert.equal(batch.length, 0);
  assert.equal(batch.push(Buffer.alloc(SLOT)), true);
});

test('arguments are checked', () => {
  using ends = socketPair();
  const wrong: [unknown, string][] = [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{ messages: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ messages: '1', bytes: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ messages: 0, bytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ messages: 1, bytes: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ messages: 1.5, bytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ messages: 2 ** 31 - 1, bytes: 2 ** 31 - 1 }, 'ERR_OUT_OF_RANGE'],
    [{ messages: 2 ** 17, bytes: 2 ** 16 }, 'ERR_OUT_OF_RANGE'],
  ];
  for (const [options, code] of wrong) assert.throws(() => new MessageBatch(options as never), { code });
  const batch = batchOf('one');
  assert.throws(() => batch.push(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const index of [-1, 1, 0.5]) assert.throws(() => batch.at(index), { code: 'ERR_OUT_OF_RANGE' });
  for (const value of [undefined, null, {}, [Buffer.alloc(1)], new Proxy(batch, {})]) {
    const refused = { code: 'ERR_INVALID_ARG_TYPE' };
    assert.throws(() => ends.a.sendBatch(value as never), refused);
    assert.throws(() => ends.b.receiveBatch(value as never), refused);
  }
  assert.throws(() => ends.a.sendBatch(batch, { signal: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  batch.lengths[0] = SLOT + 1;
  assert.throws(() => ends.a.sendBatch(batch), { code: 'ERR_OUT_OF_RANGE' });
  batch.lengths[0] = 0xffffffff;
  assert.throws(() => ends.a.sendBatch(batch), { code: 'ERR_OUT_OF_RANGE' });
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('a batch that is sent is received in a batch, which is used again and again', async () => {
  using ends = socketPair();
  const sent = batchOf(...numbered(10));
  const received = new MessageBatch({ messages: 64, bytes: 100 });
  const { data } = received;
  for (let times = 0; times < 3; times++) {
    assert.equal(await ends.a.sendBatch(sent), 10);
    assert.equal(await ends.b.receiveBatch(received), 10);
    assert.deepEqual(texts(received), numbered(10));
  }
  assert.equal(received.data, data);
  assert.equal(ends.a.counters.messagesSent, 30);
  assert.equal(ends.b.counters.messagesReceived, 30);
  assert.equal(ends.b.counters.bytesReceived, ends.a.counters.bytesSent);
  sent.clear();
  assert.equal(await ends.a.sendBatch(sent), 0);
});

test('receiveBatch waits for the first message only, and receives at most one for each slot', async () => {
  using ends = socketPair();
  const batch = new MessageBatch({ messages: 3, bytes: SLOT });
  const received = ends.b.receiveBatch(batch);
  assert.equal(await settlesSoon(received), false);
  await ends.a.send('one');
  assert.equal(await received, 1);
  await ends.a.sendMany(numbered(7));
  const all: string[] = [];
  for (const count of [3, 3, 1]) {
    assert.equal(await ends.b.receiveBatch(batch), count);
    all.push(...texts(batch));
  }
  assert.deepEqual(all, numbered(7));
});

test('a batch of more than 64 messages', async () => {
  using ends = socketPair();
  const sent = batchOf(...numbered(150));
  const received = new MessageBatch({ messages: 150, bytes: SLOT });
  assert.equal(await ends.a.sendBatch(sent), 150);
  ends.a.close();
  assert.deepEqual(await receiveAll(ends.b, received), [...numbered(150), 'EOF']);
});

test('more messages than there is room for wait, and are sent in order', async () => {
  using ends = socketPair();
  const sent = batchOf(...numbered(5000));
  const all = ends.a.sendBatch(sent);
  const after = ends.a.send('after');
  const received: string[] = [];
  const batch = new MessageBatch({ messages: 64, bytes: SLOT });
  while (received.length < 5001) {
    await ends.b.receiveBatch(batch);
    received.push(...texts(batch));
  }
  assert.equal(await all, 5000);
  await after;
  assert.deepEqual(received, [...numbered(5000), 'after']);
});

test('changes of bytes and lengths in the slots are sent', async () => {
  using ends = socketPair();
  const batch = batchOf('aaaa', 'bbbb');
  batch.data[batch.offsets[1]!] = 0x63;
  batch.lengths[1] = 2;
  batch.offsets[1] = 0;
  assert.equal(await ends.a.sendBatch(batch), 2);
  assert.deepEqual([await receiveText(ends.b), await receiveText(ends.b)], ['aaaa', 'cb']);
});

test('a message longer than a slot ends the batch before it, and is not lost', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  const batch = new MessageBatch({ messages: 10, bytes: SLOT });
  const long = 'long '.repeat(1000);
  await ends.a.sendMany(['one', 'two']);
  await ends.a.sendWithFds(long, [0, 1]);
  await ends.a.sendMany(['three', long, 'four']);
  assert.equal(await ends.b.receiveBatch(batch), 2);
  assert.deepEqual(texts(batch), ['one', 'two']);
  for (let times = 0; times < 2; times++) {
    await assert.rejects(ends.b.receiveBatch(batch), {
      code: 'EMSGSIZE',
      syscall: 'recvmsg',
      messageSize: long.length,
    });
    assert.equal(batch.length, 0);
  }
  const message = await ends.b.receiveMessage({ maxFds: 2 });
  assert.deepEqual([String(message.data), message.fds.length], [long, 2]);
  for (const fd of message.fds) fd.close();
  assert.equal(await ends.b.receiveBatch(batch), 1);
  assert.deepEqual(texts(batch), ['three']);
  assert.equal(await receiveText(ends.b), long);
  assert.equal(await ends.b.receiveBatch(batch), 1);
  assert.deepEqual(texts(batch), ['four']);
  assert.equal(openDescriptors().size, before);
  assert.equal(ends.b.counters.messagesReceived, ends.a.counters.messagesSent);
  assert.equal(ends.b.counters.bytesReceived, ends.a.counters.bytesSent);
});

test('a message longer than a slot keeps its descriptors where empty messages are delivered, too', async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  const batch = new MessageBatch({ messages: 4, bytes: 1 });
  await ends.a.sendWithFds('long', [0, 1]);
  await assert.rejects(ends.b.receiveBatch(batch), { code: 'EMSGSIZE' });
  const { fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(4), 2);
  assert.deepEqual([fds.length, controlTruncated], [2, false]);
  for (const fd of fds) fd.close();
});

test('the messages around one that is longer than a slot are received in order', async () => {
  using ends = socketPair();
  const batch = new MessageBatch({ messages: 10, bytes: SLOT });
  const long = 'x'.repeat(SLOT + 1);
  await ends.a.sendMany(['one', long, 'two', 'three']);
  assert.equal(await ends.b.receiveBatch(batch), 1);
  assert.deepEqual(texts(batch), ['one']);
  await assert.rejects(ends.b.receiveBatch(batch), { code: 'EMSGSIZE', messageSize: SLOT + 1 });
  assert.equal(await receiveText(ends.b), long);
  assert.equal(await ends.b.receiveBatch(batch), 2);
  assert.deepEqual(texts(batch), ['two', 'three']);
});

test('the end of file comes after the messages, and a reset after them', async () => {
  for (const reset of [false, true]) {
    using ends = socketPair();
    if (reset) await ends.b.send('never read');
    await ends.a.sendBatch(batchOf(...numbered(64)));
    ends.a.close();
    const batch = new MessageBatch({ messages: 64, bytes: SLOT });
    assert.deepEqual(await receiveAll(ends.b, batch), [...numbered(64), reset ? 'ECONNRESET' : 'EOF']);
    await assert.rejects(ends.b.receiveBatch(batch), { code: 'EOF' });
  }
});

test('an empty message is the end of file, or a message of a batch, as the socket has it', async () => {
  using ends = socketPair();
  const batch = new MessageBatch({ messages: 10, bytes: SLOT });
  await ends.a.sendBatch(batchOf('one', '', 'two'));
  assert.deepEqual(await receiveAll(ends.b, batch), ['one', 'EOF']);
  assert.equal(await ends.b.receiveBatch(batch), 1);
  assert.deepEqual(texts(batch), ['two']);
  ends.b.setOption('emptyMessages', 'deliver');
  await ends.a.sendBatch(batchOf('one', '', 'two'));
  assert.equal(await ends.b.receiveBatch(batch), 3);
  assert.deepEqual(texts(batch), ['one', '', 'two']);
});

test('descriptors are closed, except those of messages after an end of file', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  const batch = new MessageBatch({ messages: 100, bytes: SLOT });
  for (let i = 0; i < 20; i++) await ends.a.sendWithFds(`${i}`, [0, 1]);
  for (let received = 0; received < 20; ) received += await ends.b.receiveBatch(batch);
  assert.equal(openDescriptors().size, before);
  await ends.a.send('');
  await ends.a.sendWithFds('x', [0, 1]);
  await assert.rejects(ends.b.receiveBatch(batch), { code: 'EOF' });
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 2);
  assert.equal(fds.length, 2);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
});

test('a waiting operation has the batch for itself', async () => {
  using ends = socketPair();
  const batch = new MessageBatch({ messages: 2, bytes: SLOT });
  const received = ends.b.receiveBatch(batch);
  const inUse = { code: 'ERR_INVALID_STATE' };
  assert.throws(() => batch.push('x'), inUse);
  assert.throws(() => batch.clear(), inUse);
  assert.throws(() => ends.b.receiveBatch(batch), inUse);
  assert.throws(() => ends.a.sendBatch(batch), inUse);
  ends.b.cancel();
  await assert.rejects(received, { code: 'ECANCELED' });
  assert.equal(batch.push('x'), true);

  const queued = await fillSendQueue(ends.a);
  const controller = new AbortController();
  const sent = ends.a.sendBatch(batch, { signal: controller.signal });
  assert.throws(() => batch.clear(), inUse);
  controller.abort();
  await assert.rejects(sent, { code: 'ABORT_ERR', messagesSent: 0 });
  batch.clear();
  for (let i = 0; i < queued; i++) await ends.b.receive(Buffer.alloc(64));
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('memory that was detached reaches no system call', async () => {
  using ends = socketPair();
  const detach = (batch: MessageBatch) =>
    structuredClone(batch.data, { transfer: [batch.data.buffer as ArrayBuffer] });
  const batch = batchOf('one');
  detach(batch);
  for (const use of [
    () => batch.push('x'),
    () => ends.a.sendBatch(batch),
    () => ends.b.receiveBatch(batch),
  ]) {
    assert.throws(use, { code: 'ERR_INVALID_STATE' });
  }
  const waiting = batchOf('one', 'two');
  const received = ends.b.receiveBatch(waiting);
  detach(waiting);
  await ends.a.send('message');
  await assert.rejects(received, { code: 'EFAULT' });
  assert.equal(await receiveText(ends.b), 'message');
  const numbers = batchOf('one');
  structuredClone(numbers.lengths, { transfer: [numbers.lengths.buffer as ArrayBuffer] });
  assert.throws(() => ends.a.sendBatch(numbers), { code: 'ERR_INVALID_STATE' });
});

test('errors report the number of messages sent', async () => {
  using ends = socketPair();
  const sent = ends.a.sendBatch(batchOf(...numbered(1000)));
  sent.catch(() => undefined);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  ends.b.close();
  await assert.rejects(sent, (error: Error & { code: string; messagesSent: number }) => {
    assert.match(error.code, /^(EPIPE|ECONNRESET)$/);
    return error.messagesSent > 0 && error.messagesSent < 1000;
  });
  ends.a.close();
  const batch = batchOf('one');
  await assert.rejects(ends.a.sendBatch(batch), { code: 'EBADF', syscall: 'sendmsg', messagesSent: 0 });
  await assert.rejects(ends.a.receiveBatch(batch), { code: 'EBADF', syscall: 'recvmsg' });
  const signal = AbortSignal.abort();
  await assert.rejects(ends.a.sendBatch(batch, { signal }), { code: 'EBADF' });
});

test('batches with a peer in Python', { skip: missing('python3') }, async (t) => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  acceptor.accept().then(async (server) => {
    const batch = new MessageBatch({ messages: 8, bytes: SLOT });
    for (let count = 0; count < 20; ) {
      count += await server.receiveBatch(batch);
      await server.sendBatch(batch);
    }
    server.close();
  });
  const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])
for i in range(20): s.send(b'message %d' % i)
print([s.recv(100).decode() for i in range(20)] == ['message %d' % i for i in range(20)], s.recv(100))
`;
  const python = spawn('python3', ['-I', '-S', '-c', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => python.kill('SIGKILL'));
  let printed = '';
  python.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  await once(python, 'close');
  assert.equal(printed, "True b''\n");
});

test('blocking calls send and receive batches', { timeout: 10_000 }, () => {
  using ends = socketPair();
  const sent = batchOf(...numbered(100));
  const received = new MessageBatch({ messages: 100, bytes: SLOT });
  assert.equal(ends.a.sendBatchSync(sent), 100);
  const all: string[] = [];
  while (all.length < 100) {
    assert.ok(ends.b.receiveBatchSync(received) > 0);
    all.push(...texts(received));
  }
  assert.deepEqual(all, numbered(100));
  assert.throws(() => ends.b.receiveBatchSync(received, { timeout: 20 }), { code: 'ETIMEDOUT' });
  received.clear();
  ends.a.sendSync('x'.repeat(SLOT + 1));
  assert.throws(() => ends.b.receiveBatchSync(received), { code: 'EMSGSIZE', messageSize: SLOT + 1 });
  assert.equal(String(ends.b.receiveMessageSync().data), 'x'.repeat(SLOT + 1));
});

test('a blocking send of a batch reports the number of messages sent', async () => {
  using ends = socketPair();
  const batch = batchOf(...numbered(1000));
  let sent = 0;
  assert.throws(
    () => ends.a.sendBatchSync(batch, { timeout: 20 }),
    (error: Error & { code: string; messagesSent: number }) => {
      sent = error.messagesSent;
      return error.code === 'ETIMEDOUT' && sent > 0 && sent < 1000;
    },
  );
  batch.clear();
  const received = ends.a.receiveBatch(batch);
  assert.throws(() => ends.a.receiveBatchSync(new MessageBatch({ messages: 1, bytes: 1 })), {
    code: 'EBUSY',
  });
  assert.throws(() => ends.b.sendBatchSync(batch), { code: 'ERR_INVALID_STATE' });
  ends.a.cancel();
  await assert.rejects(received, { code: 'ECANCELED' });
  ends.a.close();
  assert.throws(() => ends.a.sendBatchSync(batch), { code: 'EBADF', messagesSent: 0 });
  assert.throws(() => ends.a.receiveBatchSync(batch), { code: 'EBADF' });
  const rest = new MessageBatch({ messages: 64, bytes: SLOT });
  assert.deepEqual(await receiveAll(ends.b, rest), [...numbered(sent), 'EOF']);
});

test('64 messages take one system call each way', { skip: missing('strace') }, () => {
  const script = `
    import { MessageBatch, pair } from 'seqpacket';
    const [a, b] = pair();
    const batch = new MessageBatch({ messages: 64, bytes: 64 });
    while (batch.push('message'));
    await a.sendBatch(batch);
    console.log(await b.receiveBatch(batch));
    process.exit();
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const calls = ['-f', '-qq', '-e', 'trace=sendmmsg,recvmmsg,sendmsg,recvmsg', '-e', 'signal=none'];
  const { stdout, stderr } = spawnSync('strace', [...calls, ...node], { encoding: 'utf8' });
  assert.equal(stdout, '64\n');
  assert.deepEqual(
    [...stderr.matchAll(/(send|recv)m?msg\(/g)].map(([call]) => call),
    ['sendmmsg(', 'recvmmsg('],
  );
});

test('batches of a client of connect(), in a loop that never waits, let timers run', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [client, server] = await Promise.all([connect(path), acceptor.accept()]);
  const batch = new MessageBatch({ messages: 64, bytes: SLOT });
  while (batch.push('message'));
  const received = new MessageBatch({ messages: 64, bytes: SLOT });
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, 5);
  for (let rounds = 0; !isOver; rounds++) {
    assert.ok(rounds < 1e6, 'the timer never fires');
    await client.sendBatch(batch);
    for (let count = 0; count < 64; ) count += await server.receiveBatch(received);
  }
  client.close();
  server.close();
});
