/** Errors of system calls are made as Node's own modules make theirs. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketAcceptor, type SeqpacketError, SeqpacketSocket } from 'seqpacket';
import { scratchDirectory, scratchPath } from '../support/scratch.js';
import { connectedAt, listeningAt } from '../support/sockets.js';

function caught(call: () => unknown): SeqpacketError {
  try {
    call();
  } catch (error) {
    return error as SeqpacketError;
  }
  return assert.fail('it did not throw');
}

test('an error has code, errno, syscall and address, and a message that names them', async () => {
  const path = scratchPath();
  const error = await new SeqpacketSocket().connect(path).catch((reason) => reason);
  assert.ok(error instanceof Error);
  assert.deepEqual(
    { ...error },
    { errno: -constants.errno.ENOENT, code: 'ENOENT', syscall: 'connect', address: path },
  );
  assert.equal(error.message, `connect ENOENT: no such file or directory ${path}`);
});

test('an abstract name is shown with @ in messages, and as it is in `address`', async () => {
  const error = await new SeqpacketSocket().connect('\0seqpacket-nobody').catch((reason) => reason);
  assert.equal(error.address, '\0seqpacket-nobody');
  assert.equal(error.message, 'connect ECONNREFUSED: connection refused @seqpacket-nobody');
});

test('bind reports the reason', () => {
  const directory = scratchDirectory();
  writeFileSync(`${directory}/file`, '');
  mkdirSync(`${directory}/closed`);
  const cases: [string, string][] = [
    [`${directory}/file`, 'EADDRINUSE'],
    [`${directory}/missing/socket`, 'ENOENT'],
    [`${directory}/file/socket`, 'ENOTDIR'],
    ['/proc/socket', 'ENOENT'],
  ];
  for (const [path, code] of cases) {
    using acceptor = new SeqpacketAcceptor();
    acceptor.open();
    const { syscall, address, ...rest } = caught(() => acceptor.bind(path));
    assert.deepEqual([rest.code, syscall, address], [code, 'bind', path]);
  }
});

test('errors of a connection name its address, on both sides', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  await client.send(Buffer.alloc(2));
  await assert.rejects(server.receive(Buffer.alloc(1)), {
    code: 'EMSGSIZE',
    syscall: 'recvmsg',
    address: path,
  });
  await server.receive(Buffer.alloc(2));
  server.close();
  await assert.rejects(client.receive(Buffer.alloc(1)), { code: 'EOF', syscall: 'recvmsg', address: path });
  await assert.rejects(client.send(Buffer.alloc(1)), { code: 'EPIPE', syscall: 'sendmsg', address: path });
  client.close();
});

test('a pair has no address, and its errors have none', async () => {
  const [a, b] = SeqpacketSocket.pair();
  b.close();
  const error = await a.send(Buffer.alloc(1)).catch((reason) => reason);
  assert.equal('address' in error, false);
  assert.equal(error.message, 'sendmsg EPIPE: broken pipe');
  a.close();
});

test('sending to a closed peer raises no signal', async () => {
  const [a, b] = SeqpacketSocket.pair();
  let signals = 0;
  const onPipe = () => signals++;
  process.on('SIGPIPE', onPipe);
  b.close();
  await assert.rejects(a.send(Buffer.alloc(1)), { code: 'EPIPE', errno: -constants.errno.EPIPE });
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('SIGPIPE', onPipe);
  assert.equal(signals, 0);
  a.close();
});

test('a message that is longer than the send buffer allows is EMSGSIZE, and nothing is sent', async () => {
  const [a, b] = SeqpacketSocket.pair();
  a.setOption('sendBufferSize', 4096);
  await assert.rejects(a.send(Buffer.alloc(100_000)), { code: 'EMSGSIZE', syscall: 'sendmsg' });
  assert.equal(b.ioControl('bytesReadable'), 0);
  a.close();
  b.close();
});

test('connecting without permission is EACCES', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const { spawnSync } = await import('node:child_process');
  const script = `
    import { SeqpacketSocket } from 'seqpacket';
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    await new SeqpacketSocket().connect(process.argv[1]).catch((error) => console.log(error.code, error.address));
  `;
  const { chmodSync } = await import('node:fs');
  chmodSync(path.replace(/\/[^/]*$/, ''), 0o755);
  chmodSync(path, 0o600);
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], {
    encoding: 'utf8',
  });
  assert.equal(child.stdout.trim(), `EACCES ${path}`, child.stderr);
  assert.equal(acceptor.isOpen, true);
});

test('adopting a number that is not open is EBADF', () => {
  assert.throws(() => FileDescriptor.adopt(99_999), { code: 'EBADF', syscall: 'fcntl' });
});

test('EBADF reports whether the socket is closed or was never open', async () => {
  const socket = new SeqpacketSocket();
  const acceptor = new SeqpacketAcceptor();
  const calls: [() => unknown, string][] = [
    [() => socket.send('x'), 'sendmsg'],
    [() => socket.sendMany(['x']), 'sendmsg'],
    [() => socket.trySend('x'), 'sendmsg'],
    [() => socket.receive(Buffer.alloc(1)), 'recvmsg'],
    [() => socket.receiveMessage(), 'recvmsg'],
    [() => socket.shutdown('send'), 'shutdown'],
    [() => socket.getOption('debug'), 'getsockopt'],
    [() => socket.bind(scratchPath()), 'bind'],
    [() => socket.release(), 'release'],
    [() => acceptor.accept(), 'accept4'],
    [() => acceptor.listen(), 'listen'],
  ];
  const check = async (what: string) => {
    for (const [call, syscall] of calls) {
      const error = await (async () => call())().then(
        () => assert.fail(String(call)),
        (reason: SeqpacketError) => reason,
      );
      const { code, errno } = error;
      assert.deepEqual(
        [code, errno, error.syscall],
        ['EBADF', -constants.errno.EBADF, syscall],
        String(call),
      );
      assert.ok(
        error.message.startsWith(`${syscall} EBADF: bad file descriptor, the socket is ${what}`),
        error.message,
      );
    }
  };
  await check('not open');
  socket.open();
  acceptor.open();
  socket.close();
  acceptor.close();
  await check('closed');
  await assert.rejects(socket[Symbol.asyncIterator]().next(), /the socket is closed$/);
});

test('duplicating a closed descriptor reports that it is closed', () => {
  const descriptor = FileDescriptor.dup(0);
  descriptor.close();
  assert.throws(() => descriptor.dup(), { message: 'dup EBADF: bad file descriptor, the source is closed' });
});

test('the error for a message that is too long has its size and the limit', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const limit = a.getOption('sendBufferSize');
  const long = Buffer.alloc(limit + 1);
  const expected = {
    message: `sendmsg EMSGSIZE: message too long, ${limit + 2} bytes with a sendBufferSize of ${limit}`,
    code: 'EMSGSIZE',
    errno: -constants.errno.EMSGSIZE,
    syscall: 'sendmsg',
    messageSize: limit + 2,
  };
  await assert.rejects(a.send([long, 'x']), expected);
  await assert.rejects(a.sendWithFds([long, 'x'], [0]), expected);
  assert.throws(() => a.trySend([long, 'x']), expected);
  await assert.rejects(a.sendMany(['fits', [long, 'x']]), { ...expected, messagesSent: 1 });
  a.close();
  b.close();
});
