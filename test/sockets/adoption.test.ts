/** Taking over descriptors of sockets, and giving them up. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { isOpenDescriptor } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { connectedAt, listeningAt, receiveText } from '../support/sockets.js';

test('a socket made of a descriptor takes it over', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const descriptor = a.release();
  const { fd } = descriptor;
  const adopted = new SeqpacketSocket(descriptor);
  assert.equal(adopted.fd, fd);
  assert.equal(descriptor.fd, -1, 'it has no second owner');
  await b.send(Buffer.from('hello'));
  assert.equal(await receiveText(adopted), 'hello');
  adopted.close();
  assert.equal(isOpenDescriptor(fd), false);
  b.close();
});

test('assign is for a closed socket', () => {
  const [a, b] = SeqpacketSocket.pair();
  const descriptor = a.release();
  assert.throws(() => b.assign(descriptor), { code: 'EALREADY' });
  assert.ok(isOpenDescriptor(descriptor.fd), 'it stays with its owner');
  a.assign(descriptor);
  assert.equal(a.isOpen, true);
  a.close();
  b.close();
});

test('an acceptor continues with the backlog of another', async () => {
  const path = scratchPath();
  const acceptor = listeningAt(path);
  using client = new SeqpacketSocket();
  await client.connect(path);
  using successor = new SeqpacketAcceptor(acceptor.release());
  assert.equal(acceptor.isOpen, false);
  (await successor.accept()).close();
});

test('an acceptor takes a socket that does not listen yet', () => {
  const socket = new SeqpacketSocket();
  socket.open();
  using acceptor = new SeqpacketAcceptor(socket.release());
  acceptor.bind(scratchPath());
  acceptor.listen();
});

test('release rejects waiting operations, and the descriptor keeps working', async () => {
  const path = scratchPath();
  const acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  const waiting = [client.receive(Buffer.alloc(1)), acceptor.accept()];
  using adopted = new SeqpacketSocket(client.release());
  using again = new SeqpacketAcceptor(acceptor.release());
  for (const each of waiting) await assert.rejects(each, { code: 'ECANCELED' });
  await server.send(Buffer.from('for whom?'));
  assert.equal(await receiveText(adopted), 'for whom?');
  assert.equal(again.isOpen, true);
  server.close();
});

const refused: [string, string, () => Promise<[number, () => void]>][] = [
  [
    'a file',
    'ENOTSOCK',
    async () => {
      const fd = openSync('/dev/zero', 'r+');
      return [fd, () => assert.equal(readSync(fd, Buffer.alloc(1)), 1)];
    },
  ],
  [
    'a stream socket',
    'EPROTOTYPE',
    async () => {
      const server = createServer().listen(scratchPath());
      await new Promise((resolve) => server.once('listening', resolve));
      const client = await new Promise<Socket>((resolve) => {
        const connected = connect(server.address() as string, () => resolve(connected));
      });
      const fd = FileDescriptor.dup(client).detach();
      client.destroy();
      server.close();
      return [fd, () => assert.equal(writeSync(fd, 'x'), 1)];
    },
  ],
  [
    'an internet socket',
    'EPROTOTYPE',
    async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const fd = FileDescriptor.dup(server).detach();
      server.close();
      return [fd, () => undefined];
    },
  ],
  [
    'a listening socket',
    'EINVAL',
    async () => {
      const fd = listeningAt(scratchPath()).release().detach();
      return [fd, () => undefined];
    },
  ],
];
for (const [kind, code, make] of refused) {
  test(`a socket refuses ${kind} with ${code}, and leaves it untouched with its owner`, async () => {
    const [fd, check] = await make();
    using descriptor = FileDescriptor.adopt(fd);
    assert.throws(() => new SeqpacketSocket(descriptor), { code });
    const socket = new SeqpacketSocket();
    assert.throws(() => socket.assign(descriptor), { code });
    assert.equal(socket.isOpen, false);
    assert.equal(descriptor.fd, fd);
    check();
    if (kind !== 'a listening socket') {
      assert.throws(() => new SeqpacketAcceptor(descriptor), { code });
      assert.equal(descriptor.fd, fd);
      check();
    }
  });
}

test('a closed descriptor is refused with EBADF', () => {
  const descriptor = FileDescriptor.dup(0);
  descriptor.close();
  assert.throws(() => new SeqpacketSocket(descriptor), { code: 'EBADF' });
  assert.throws(() => new SeqpacketAcceptor(descriptor), { code: 'EBADF' });
});

test('a blocking listener that is taken over blocks nothing', { skip: missing('python3') }, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const script = `
import socket, sys
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[1])
l = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); l.bind(sys.argv[1] + "2"); l.listen(0)
socket.send_fds(c, [b"x"], [l.fileno()])
`;
  const child = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = once(child, 'exit');
  using server = await acceptor.accept();
  const { fds } = await server.receiveWithFds(Buffer.alloc(1), 1);
  using blocking = new SeqpacketAcceptor(fds[0]!);
  await assert.rejects(blocking.accept({ signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' });
  assert.deepEqual(await exit, [0, null]);
});

test('an adopted descriptor becomes close-on-exec and may have been blocking', {
  skip: missing('python3'),
}, async () => {
  // A python3 child makes a blocking pair and passes one end of it over a socket of ours.
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const script = `
import socket, sys
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[1])
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
socket.send_fds(c, [b"x"], [a.fileno()]); a.close()
assert b.recv(10) == b"ping"; b.send(b"pong")
`;
  const child = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = once(child, 'exit');
  using server = await acceptor.accept();
  const { fds } = await server.receiveWithFds(Buffer.alloc(1), 1);
  using adopted = new SeqpacketSocket(fds[0]!);
  const received = receiveText(adopted);
  await adopted.send(Buffer.from('ping'));
  assert.equal(await received, 'pong');
  assert.deepEqual(await exit, [0, null]);
});
