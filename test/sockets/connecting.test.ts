import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { connectedAt, fillBacklog, listeningAt, receiveText, settlesSoon } from '../support/sockets.js';

test('connect opens a socket that is not open yet', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  using client = new SeqpacketSocket();
  assert.equal(client.isOpen, false);
  assert.equal(await client.connect(path), undefined);
  assert.equal(client.isOpen, true);
  using server = await acceptor.accept();
  await client.send(Buffer.from('hello'));
  assert.equal(await receiveText(server), 'hello');
});

test('connect uses a socket that is open and bound already', async () => {
  const path = scratchPath('server');
  const own = scratchPath('client');
  using acceptor = listeningAt(path);
  using client = new SeqpacketSocket();
  client.open();
  client.bind(own);
  const { fd } = client;
  await client.connect(path);
  assert.equal(client.fd, fd);
  using server = await acceptor.accept();
  assert.equal(server.remotePath, own);
});

test('both sides have the names of both sockets', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  assert.equal(acceptor.localPath, path);
  assert.equal(client.remotePath, path);
  assert.equal(client.localPath, '');
  assert.equal(server.localPath, path);
  assert.equal(server.remotePath, '');
  client.close();
  server.close();
});

const refusals: [string, (path: string) => unknown, string][] = [
  ['ENOENT where nothing is', () => undefined, 'ENOENT'],
  ['ECONNREFUSED where a file is no socket', (path) => writeFileSync(path, ''), 'ECONNREFUSED'],
  ['ECONNREFUSED where the server is gone', (path) => listeningAt(path).close(), 'ECONNREFUSED'],
];
for (const [title, prepare, code] of refusals) {
  test(`connect rejects with ${title}`, async () => {
    const path = scratchPath();
    prepare(path);
    using client = new SeqpacketSocket();
    await assert.rejects(client.connect(path), {
      code,
      syscall: 'connect',
      address: path,
      message: new RegExp(`^connect ${code}: .* ${path}$`),
    });
  });
}

test('connect rejects with EPROTOTYPE where a stream socket listens', async () => {
  const path = scratchPath();
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  using client = new SeqpacketSocket();
  await assert.rejects(client.connect(path), { code: 'EPROTOTYPE', syscall: 'connect', address: path });
  server.close();
});

test('a socket can be connected after an attempt that failed', async () => {
  const path = scratchPath();
  using client = new SeqpacketSocket();
  await assert.rejects(client.connect(path), { code: 'ENOENT' });
  using acceptor = listeningAt(path);
  await client.connect(path);
  (await acceptor.accept()).close();
});

test('a full backlog is waited out, and never looks like a refusal', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path, 0);
  const queued = await fillBacklog(path);
  using client = new SeqpacketSocket();
  const connected = client.connect(path);
  assert.equal(await settlesSoon(connected), false);
  for (let i = 0; i < queued.length; i++) (await acceptor.accept()).close();
  await connected;
  for (const each of queued) each.close();
});

test('a full backlog is waited out also where the working directory changes meanwhile', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path, 0);
  const queued = await fillBacklog(path);
  const before = process.cwd();
  process.chdir(dirname(path));
  using client = new SeqpacketSocket();
  const connected = client.connect('socket');
  process.chdir(before);
  assert.equal(await settlesSoon(connected), false);
  const servers = await Promise.all(queued.map(() => acceptor.accept()));
  await connected;
  assert.equal(client.remotePath, 'socket');
  for (const each of [...queued, ...servers]) each.close();
});

test('a connect that waits for the backlog is refused when the listener closes', async () => {
  const path = scratchPath();
  const acceptor = listeningAt(path, 0);
  const queued = await fillBacklog(path);
  using client = new SeqpacketSocket();
  const connected = client.connect(path);
  assert.equal(await settlesSoon(connected), false);
  acceptor.close();
  await assert.rejects(connected, { code: 'ECONNREFUSED' });
  for (const each of queued) each.close();
});

test('one connect at a time', async () => {
  const path = scratchPath();
  using _acceptor = listeningAt(path, 0);
  const queued = await fillBacklog(path);
  using client = new SeqpacketSocket();
  const first = client.connect(path);
  await assert.rejects(client.connect(path), { code: 'EALREADY', syscall: 'connect', address: path });
  client.cancel();
  await assert.rejects(first, { code: 'ECANCELED', syscall: 'connect' });
  for (const each of queued) each.close();
});

test('a connected socket cannot be connected again, not even to a full backlog', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path, 0);
  const [client, server] = await connectedAt(acceptor, path);
  await assert.rejects(client.connect(path), { code: 'EISCONN', syscall: 'connect', address: path });
  const queued = await fillBacklog(path);
  await assert.rejects(client.connect(path), { code: 'EISCONN' });
  for (const each of [...queued, client, server]) each.close();
});

test('disconnect is connect(2) with AF_UNSPEC, which Linux has for datagrams only', async () => {
  const [a, b] = SeqpacketSocket.pair();
  assert.throws(() => a.disconnect(), { code: 'EINVAL', syscall: 'connect' });
  await a.send(Buffer.from('still connected'));
  assert.equal(await receiveText(b), 'still connected');
  a.close();
  b.close();
});
