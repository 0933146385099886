/** connectSync and acceptSync: a full backlog is waited out, refused peers are skipped, and no descriptor leaks. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { connect, connectSync, listen, SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';

const skip = missing('python3');

test('connectSync connects to a python3 server', { skip }, async (t) => {
  const path = scratchPath();
  const python = new Python(
    t,
    `
    sock = listen(args[0]).accept()[0]
    sock.send(sock.recv(100).upper())
    `,
    path,
  );
  assert.equal(await python.says(), 'listening');
  const socket = closing(t, connectSync(path));
  assert.equal(socket.remotePath, path);
  socket.sendSync('hello');
  assert.equal(String(socket.receiveMessageSync().data), 'HELLO');
});

test('acceptSync waits for python3 clients, and gets them in order', { skip }, async (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  const python = new Python(
    t,
    `
    import time
    socks = []
    for i in range(4):
        time.sleep(0.06)
        socks.append(connect(args[0]))
        socks[i].send(b'%d' % i)
    hear()
    `,
    name,
  );
  for (let i = 0; i < 4; i++) {
    const socket = closing(t, acceptor.acceptSync());
    assert.equal(String(socket.receiveMessageSync().data), String(i));
    assert.equal(socket.getOption('remoteCredentials').pid, python.process.pid);
  }
  assert.equal(acceptor.counters.accepted, 4);
  python.tell(null);
  await python.finished();
});

test('connectSync waits while the backlog is full', (t) => {
  const name = abstractName();
  // The acceptor is in another thread, because this one is blocked.
  const script = `
    const { listen } = require('seqpacket');
    const { workerData } = require('node:worker_threads');
    const acceptor = listen(workerData.name, { backlog: 0 });
    Atomics.store(workerData.flag, 0, 1);
    Atomics.notify(workerData.flag, 0);
    for (let i = 0; i < 5; i++) {
      Atomics.wait(workerData.flag, 0, 1, 60);
      const socket = acceptor.acceptSync();
      socket.sendSync(String(i));
    }
  `;
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(script, { eval: true, workerData: { name, flag } });
  t.after(() => worker.terminate());
  Atomics.wait(flag, 0, 0, 30_000);
  const sockets = Array.from({ length: 5 }, () => connectSync(name));
  for (const [i, socket] of sockets.entries()) {
    assert.equal(String(socket.receiveMessageSync().data), String(i));
    socket.close();
  }
});

test('errors of connecting are those of connect', async () => {
  const missingPath = scratchPath();
  const failure = { code: 'ENOENT', syscall: 'connect', address: missingPath };
  assert.throws(() => connectSync(missingPath), failure);
  await assert.rejects(connect(missingPath), failure);
  assert.throws(() => connectSync('a\0b'), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => connectSync(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => connectSync('x', { emptyMessages: 'x' as never }), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('a connect that fails leaves no descriptor', () => {
  const name = abstractName();
  using acceptor = listen(name, { backlog: 0 });
  using client = connectSync(name);
  const before = openDescriptors();
  assert.throws(() => connectSync(abstractName()), { code: 'ECONNREFUSED' });
  assert.throws(() => connectSync(name, { timeout: 5 }), { code: 'ETIMEDOUT' });
  assert.throws(() => connectSync('a\0b'), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.deepEqual(openDescriptors(), before);
  assert.ok(acceptor.isOpen && client.isOpen);
});

test('a path that is too long for an address is connected to', (t) => {
  const directory = join(scratchDirectory(), 'x'.repeat(100), 'y'.repeat(100));
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'socket');
  const acceptor = closing(t, listen(path, { backlog: 0 }));
  const client = closing(t, connectSync(path));
  assert.equal(client.remotePath, path);
  assert.throws(() => connectSync(path, { timeout: 10 }), { code: 'ETIMEDOUT', address: path });
  closing(t, acceptor.acceptSync());
});

test('emptyMessages of connectSync and listen', (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name, { emptyMessages: 'deliver' }));
  const client = closing(t, connectSync(name, { emptyMessages: 'deliver' }));
  const server = closing(t, acceptor.acceptSync());
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.sendSync('');
    assert.equal(to.receiveMessageSync({ timeout: 0 }).data.length, 0);
  }
});

test('acceptSync skips peers that are not admitted, however many there are', (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name, { allow: { uids: [process.getuid!() + 1] } }));
  for (let i = 0; i < 50; i++) closing(t, connectSync(name));
  assert.throws(() => acceptor.acceptSync({ timeout: 0 }), { code: 'ETIMEDOUT', syscall: 'accept4' });
  assert.equal(acceptor.counters.refused, 50);
});

test('acceptSync accepts no more than maxConnections at once', (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name, { maxConnections: 1 }));
  const clients = Array.from({ length: 20 }, () => closing(t, connectSync(name)));
  const first = acceptor.acceptSync();
  assert.throws(() => acceptor.acceptSync({ timeout: 0 }), { code: 'ETIMEDOUT' });
  assert.throws(() => clients[1]!.receiveSync(Buffer.alloc(1)), { code: 'EOF' });
  first.close();
  closing(t, connectSync(name));
  closing(t, acceptor.acceptSync({ timeout: 0 }));
});

test('an acceptor that is not open or does not listen fails as accept does', async () => {
  const acceptor = new SeqpacketAcceptor();
  assert.throws(() => acceptor.acceptSync(), { code: 'EBADF', syscall: 'accept4' });
  acceptor.open();
  assert.throws(() => acceptor.acceptSync(), { code: 'EINVAL', syscall: 'accept4' });
  await assert.rejects(acceptor.accept(), { code: 'EINVAL', syscall: 'accept4' });
  acceptor.close();
});

test('the channels report blocking calls', async () => {
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
  const published: string[] = [];
  const channels = ['connect', 'accept', 'error'];
  const subscriber = (message: unknown, channel: string | symbol) => {
    const { error } = message as { error?: NodeJS.ErrnoException };
    published.push([String(channel), error?.code].join(' ').trim());
  };
  for (const each of channels) subscribe(`seqpacket:${each}`, subscriber);
  try {
    const name = abstractName();
    using acceptor = listen(name);
    using client = connectSync(name);
    const sockets: SeqpacketSocket[] = [client, acceptor.acceptSync()];
    assert.throws(() => connectSync(abstractName()), { code: 'ECONNREFUSED' });
    assert.throws(() => client.receiveSync(Buffer.alloc(1), { timeout: 0 }), { code: 'ETIMEDOUT' });
    sockets[1]!.close();
    assert.throws(() => client.receiveSync(Buffer.alloc(1)), { code: 'EOF' });
    assert.throws(() => client.sendSync('x'), { code: 'EPIPE' });
    await new Promise(setImmediate);
  } finally {
    for (const each of channels) unsubscribe(`seqpacket:${each}`, subscriber);
  }
  assert.deepEqual(published.sort(), [
    'seqpacket:accept',
    'seqpacket:connect',
    'seqpacket:error ECONNREFUSED',
    'seqpacket:error EPIPE',
  ]);
});
