/** A socket that another process, or other code in this one, shares and changes: nothing blocks, hangs or gets lost. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { test } from 'node:test';
import { connect, listen, SeqpacketSocket } from 'seqpacket';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { fillBacklog, fillSendQueue, listeningAt, settlesSoon, socketPair } from '../support/sockets.js';

const skip = missing('python3');

/** Another process that has the socket as its standard input, and clears O_NONBLOCK. */
const BLOCKING =
  'import fcntl, os; fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) & ~os.O_NONBLOCK)';

/** Runs a program in a process of its own, which has the socket as descriptor 0. */
async function inAnother(fd: number, script: string): Promise<void> {
  const [code] = await once(spawn('python3', ['-c', script], { stdio: [fd, 'inherit', 'inherit'] }), 'exit');
  assert.equal(code, 0);
}

test('accept does not block where another process has made the socket blocking', { skip }, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  await inAnother(acceptor.fd, BLOCKING);
  const accepted = acceptor.accept();
  assert.equal(await settlesSoon(accepted), false);
  using client = await connect(path);
  using server = await accepted;
  assert.ok(client.isOpen && server.isOpen);
});

test('connect does not block where another process has made the socket blocking', { skip }, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path, 0);
  const clients = await fillBacklog(path);
  const socket = new SeqpacketSocket();
  socket.open();
  await inAnother(socket.fd, BLOCKING);
  const connected = socket.connect(path);
  assert.equal(await settlesSoon(connected), false);
  for (const _ of clients.slice(1)) (await acceptor.accept()).close();
  await connected;
  for (const each of [socket, ...clients]) each.close();
});

test('an empty message is delivered where another process has unset SO_TIMESTAMP', { skip }, async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  const unset = 'import socket; socket.socket(fileno=0).setsockopt(socket.SOL_SOCKET, 29, 0)';
  await inAnother(ends.b.fd, unset);
  await ends.a.send(Buffer.alloc(0));
  await ends.a.send(Buffer.from('next'));
  assert.equal(await ends.b.receive(Buffer.alloc(10)), 0);
  assert.equal(String((await ends.b.receiveMessage()).data), 'next');
  await inAnother(ends.b.fd, unset);
  const waiting = ends.b.receiveMessage();
  await ends.a.send(Buffer.alloc(0));
  assert.equal((await waiting).data.length, 0);
  await inAnother(ends.b.fd, unset);
  ends.a.close();
  await assert.rejects(ends.b.receive(Buffer.alloc(10)), { code: 'EOF' });
});

test('a number that was closed elsewhere: close() settles waiting operations, and reports EBADF once', async () => {
  const [a, b] = SeqpacketSocket.pair();
  await fillSendQueue(a);
  const receiving = a.receive(Buffer.alloc(1));
  const sending = a.send(Buffer.alloc(1));
  closeSync(a.fd);
  assert.throws(() => a.close(), { code: 'EBADF', syscall: 'close' });
  await assert.rejects(receiving, { code: 'ECANCELED' });
  await assert.rejects(sending, { code: 'ECANCELED' });
  assert.equal(a.isOpen, false);
  a.close();
  a.open();
  a.close();
  b.close();
});

test('a number that was closed elsewhere: the next call is EBADF', async () => {
  const [a, b] = SeqpacketSocket.pair();
  closeSync(a.fd);
  await assert.rejects(a.send(Buffer.alloc(1)), { code: 'EBADF' });
  await assert.rejects(a.receive(Buffer.alloc(1)), { code: 'EBADF' });
  assert.throws(() => a.close(), { code: 'EBADF' });
  b.close();
});

test('an acceptor whose number was closed elsewhere is closed by close()', async () => {
  const path = scratchPath();
  const acceptor = listen(path);
  const accepting = acceptor.accept();
  closeSync(acceptor.fd);
  assert.throws(() => acceptor.close(), { code: 'EBADF', syscall: 'close' });
  await assert.rejects(accepting, { code: 'ECANCELED' });
  assert.equal(acceptor.isOpen, false);
  await assert.rejects(connect(path), { code: 'ENOENT' });
});
