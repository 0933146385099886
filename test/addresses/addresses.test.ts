/** Paths are never cut or mistaken for others, and are reported back as given. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { connect, listen, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';
import { connectedAt, listeningAt, receiveText } from '../support/sockets.js';

async function talkAt(path: string | Buffer | URL, reported: string | Buffer): Promise<void> {
  const before = openDescriptors().size;
  const acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  await client.send(Buffer.from('hello'));
  assert.equal(await receiveText(server), 'hello');
  assert.deepEqual(acceptor.localPath, reported);
  assert.deepEqual(client.remotePath, reported);
  assert.deepEqual(server.localPath, reported);
  for (const each of [client, server, acceptor]) each.close();
  assert.equal(openDescriptors().size, before);
}

test('a path as text', async () => {
  const path = scratchPath();
  await talkAt(path, path);
  assert.ok(statSync(path).isSocket());
});

test('a path as bytes', async () => {
  const path = scratchPath('büro');
  await talkAt(Buffer.from(path), path);
  assert.ok(statSync(path).isSocket());
});

test('a path as bytes that are not UTF-8 is reported as bytes', async () => {
  const path = Buffer.concat([Buffer.from(scratchPath('')), Buffer.from([0x2f, 0xff, 0xfe])]);
  await talkAt(path, path);
  assert.ok(statSync(path).isSocket());
});

test('a path as a file: URL', async () => {
  const path = scratchPath('with space and ü');
  await talkAt(pathToFileURL(path), path);
  assert.ok(statSync(path).isSocket());
});

test('a relative path', async () => {
  const path = scratchPath();
  const before = process.cwd();
  process.chdir(dirname(path));
  try {
    await talkAt('socket', 'socket');
    const long = `${'d'.repeat(200)}/socket`;
    mkdirSync('d'.repeat(200));
    await talkAt(long, long);
    await talkAt('n'.repeat(200), 'n'.repeat(200));
  } finally {
    process.chdir(before);
  }
  assert.ok(statSync(path).isSocket());
});

for (const length of [106, 107, 108, 109, 255, 1000, 4000]) {
  test(`a path of ${length} bytes`, async () => {
    let directory = scratchDirectory();
    const deepest = length - 100;
    while (directory.length < deepest) {
      directory = join(directory, 'd'.repeat(Math.min(100, deepest - directory.length)));
    }
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 's'.repeat(length - directory.length - 1));
    assert.equal(path.length, length);
    await talkAt(path, path);
    assert.ok(statSync(path).isSocket());
  });
}

test('a file name that is too long for any sockaddr', async () => {
  const path = join(scratchDirectory(), 'n'.repeat(255));
  await talkAt(path, path);
  assert.ok(statSync(path).isSocket());
  using acceptor = new SeqpacketAcceptor();
  acceptor.open();
  assert.throws(() => acceptor.bind(path), { code: 'EADDRINUSE', address: path });
  acceptor.bind(`${dirname(path)}/other`);
});

test('errors at long paths are those of bind and connect', async () => {
  const directory = join(scratchDirectory(), 'd'.repeat(150));
  const path = `${directory}/socket`;
  using socket = new SeqpacketSocket();
  socket.open();
  assert.throws(() => socket.bind(path), { code: 'ENOENT', syscall: 'bind', address: path });
  await assert.rejects(socket.connect(path), { code: 'ENOENT', syscall: 'connect', address: path });
  const beyond = join(scratchDirectory(), 'n'.repeat(256));
  assert.throws(() => socket.bind(beyond), { code: 'ENAMETOOLONG', syscall: 'bind', address: beyond });
  mkdirSync(directory);
  listeningAt(path).close();
  await assert.rejects(socket.connect(path), { code: 'ECONNREFUSED', syscall: 'connect', address: path });
  assert.throws(() => socket.bind(path), { code: 'EADDRINUSE', syscall: 'bind', address: path });
});

test('the limit is in bytes, not characters', async () => {
  const path = join(scratchDirectory(), 'ü'.repeat(60));
  assert.ok(path.length < 108 && Buffer.byteLength(path) > 108);
  await talkAt(path, path);
});

function abstractNames(): string[] {
  return readFileSync('/proc/net/unix', 'latin1')
    .split('\n')
    .map((line) => line.split(' ').at(-1) ?? '')
    .filter((name) => name.startsWith('@'));
}

test('an abstract name is exactly as long as it is given, and has no file', async () => {
  const name = `\0seqpacket-test-${process.pid}`;
  await talkAt(name, name);
  using acceptor = listeningAt(name);
  assert.ok(abstractNames().includes(`@${name.slice(1)}`));
  assert.equal(existsSync(name.slice(1)), false);
  using client = new SeqpacketSocket();
  for (const other of [`${name}x`, name.slice(0, -1)]) {
    await assert.rejects(client.connect(other), { code: 'ECONNREFUSED', address: other });
  }
  await client.connect(name);
  (await acceptor.accept()).close();
});

test('abstract names differ by their bytes alone', async () => {
  const one = `\0seqpacket-one-${process.pid}`;
  const two = `\0seqpacket-two-${process.pid}`;
  using first = listeningAt(one);
  using second = listeningAt(two);
  const [client, server] = await connectedAt(second, two);
  await client.send(Buffer.from('for two'));
  assert.equal(await receiveText(server), 'for two');
  await assert.rejects(first.accept({ signal: AbortSignal.timeout(10) }), { code: 'ABORT_ERR' });
  client.close();
  server.close();
});

test('abstract names of the shortest and greatest length', async () => {
  const longest = `\0${process.pid}`.padEnd(108, 'x');
  await talkAt(longest, longest);
  const bytes = Buffer.concat([Buffer.from([0]), Buffer.from(`${process.pid}`), Buffer.from([0xff])]);
  await talkAt(bytes, bytes);
});

test('an abstract name may contain NUL bytes, and differs by them', async () => {
  const name = `\0seqpacket\0nuls-${process.pid}`;
  const names = [name, `${name}\0`, `${name}\0\0`, `${name}\0x\0`, name.padEnd(108, '\0')];
  for (const each of names) await talkAt(each, each);
  await talkAt(Buffer.from(name), name);
  const acceptors = names.map((each) => listen(each));
  try {
    for (const [index, each] of names.entries()) {
      assert.throws(() => listen(each), { code: 'EADDRINUSE', address: each });
      const [client, server] = await connectedAt(acceptors[index]!, each);
      assert.equal(client.remotePath, each);
      assert.equal(server.localPath, each);
      client.close();
      server.close();
    }
    using client = new SeqpacketSocket();
    const other = `${name}\0\0\0`;
    await assert.rejects(client.connect(other), (error: NodeJS.ErrnoException & { address: string }) => {
      assert.equal(error.code, 'ECONNREFUSED');
      assert.equal(error.address, other);
      assert.ok(error.message.endsWith(` ${other.replaceAll('\0', '@')}`), error.message);
      return true;
    });
  } finally {
    for (const each of acceptors) each.close();
  }
});

test('a program that binds sizeof(struct sockaddr_un) can be connected to, and has its full name', {
  skip: missing('python3'),
}, async (t) => {
  const padded = (text: string) => `\0${text}-${process.pid}`.padEnd(108, '\0');
  const [served, called] = [padded('seqpacket-c-server'), padded('seqpacket-c-client')];
  const script = `
    server = listen(args[0].encode())
    first = server.accept()[0]
    say(list(first.getsockname()))
    client = seqpacket()
    client.bind(args[1].encode())
    client.connect(args[2])
    hear()
  `;
  const path = scratchPath();
  using acceptor = listen(path);
  const python = new Python(t, script, served, called, path);
  assert.equal(await python.says(), 'listening');
  await assert.rejects(connect(served.replace(/\0+$/, '')), { code: 'ECONNREFUSED' });
  using client = await connect(served);
  assert.equal(client.remotePath, served);
  assert.deepEqual(await python.says(), [...Buffer.from(served)]);
  using adopted = new SeqpacketSocket(client.release());
  assert.equal(adopted.remotePath, served);
  using server = await acceptor.accept();
  assert.equal(server.remotePath, called);
  python.tell('end');
  await python.finished();
});

test('the server reads the name of a bound client', async () => {
  const path = scratchPath();
  const name = `\0seqpacket-client-${process.pid}`;
  using acceptor = listeningAt(path);
  using client = new SeqpacketSocket();
  client.open();
  client.bind(name);
  const [server] = await Promise.all([acceptor.accept(), client.connect(path)]);
  assert.equal(client.localPath, name);
  assert.equal(server.remotePath, name);
  server.close();
});

test('names that were not given here are read from the kernel', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  using adoptedAcceptor = new SeqpacketAcceptor(acceptor.release());
  using adoptedClient = new SeqpacketSocket(client.release());
  using adoptedServer = new SeqpacketSocket(server.release());
  assert.equal(adoptedAcceptor.localPath, path);
  assert.equal(adoptedClient.remotePath, path);
  assert.equal(adoptedServer.localPath, path);
  assert.equal(basename(path), 'socket');
});

test('closing an acceptor that was bound leaves the file, as bind(2) does', () => {
  const path = scratchPath();
  listeningAt(path).close();
  assert.ok(statSync(path).isSocket());
});
