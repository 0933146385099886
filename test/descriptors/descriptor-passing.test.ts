import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { FileDescriptor, MessageFlag, SeqpacketSocket } from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { fillSendQueue, receiveText, socketPair } from '../support/sockets.js';

const text = 'read through a passed descriptor';

function fileWithText(): string {
  const path = scratchPath('file');
  writeFileSync(path, text);
  return path;
}

test('a passed file is readable by the receiver', async () => {
  using ends = socketPair();
  using file = FileDescriptor.adopt(openSync(fileWithText(), 'r'));
  assert.equal(await ends.a.sendWithFds(Buffer.from('a file'), [file]), 6);
  const buffer = Buffer.alloc(100);
  const { bytesRead, fds, controlTruncated } = await ends.b.receiveWithFds(buffer, 1);
  assert.equal(buffer.toString('utf8', 0, bytesRead), 'a file');
  assert.equal(controlTruncated, false);
  assert.equal(fds.length, 1);
  using received = fds[0]!;
  assert.notEqual(received.fd, file.fd);
  assert.equal(readFileSync(received.fd, 'utf8'), text);
});

test('the descriptors stay the sender’s', async () => {
  using ends = socketPair();
  using file = FileDescriptor.adopt(openSync(fileWithText(), 'r'));
  const { fd } = file;
  await ends.a.sendWithFds(Buffer.from('x'), [file]);
  assert.equal(file.fd, fd);
  assert.equal(isOpenDescriptor(fd), true);
});

test('several descriptors of one message arrive in their order', async () => {
  using ends = socketPair();
  const files = Array.from({ length: 20 }, (_, index) => {
    const path = scratchPath();
    writeFileSync(path, `file ${index}`);
    return FileDescriptor.adopt(openSync(path, 'r'));
  });
  await ends.a.sendWithFds(Buffer.from('x'), files);
  for (const file of files) file.close();
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 20);
  assert.deepEqual(
    fds.map(({ fd }) => readFileSync(fd, 'utf8')),
    files.map((_, index) => `file ${index}`),
  );
  for (const fd of fds) fd.close();
});

test('a pipe can be passed', async () => {
  using ends = socketPair();
  // A shell makes the pipe; this process opens its ends again through /proc.
  const fifo = scratchPath('fifo');
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
  const both = openSync(fifo, 'r+');
  await ends.a.sendWithFds(Buffer.from('x'), [both]);
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
  writeSync(both, 'through the pipe');
  closeSync(both);
  const buffer = Buffer.alloc(100);
  const length = readSync(fds[0]!.fd, buffer);
  assert.equal(buffer.toString('utf8', 0, length), 'through the pipe');
  fds[0]!.close();
});

test('a socket of this library can be passed, and works on', async () => {
  using ends = socketPair();
  const [near, far] = SeqpacketSocket.pair();
  await ends.a.sendWithFds(Buffer.from('x'), [far]);
  far.close();
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
  using adopted = new SeqpacketSocket(fds[0]!);
  await near.send(Buffer.from('to the adopted one'));
  assert.equal(await receiveText(adopted), 'to the adopted one');
  near.close();
});

test('descriptors are taken from numbers, FileHandles, sockets and servers alike', async () => {
  using ends = socketPair();
  const path = fileWithText();
  const number = openSync(path, 'r');
  const handle = await open(path);
  const server = await new Promise<Server>((resolve) => {
    const created = createServer().listen(scratchPath(), () => resolve(created));
  });
  const client = await new Promise<Socket>((resolve) => {
    const connected = connect(server.address() as string, () => resolve(connected));
  });
  await ends.a.sendWithFds(Buffer.from('x'), [number, handle, server, client, ends.a]);
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 5);
  const open_ = openDescriptors();
  const kinds = fds.map(({ fd }) => open_.get(fd)?.replace(/:.*/, ''));
  assert.deepEqual(kinds, [path, path, 'socket', 'socket', 'socket']);
  for (const fd of fds) fd.close();
  closeSync(number);
  await handle.close();
  client.destroy();
  server.close();
});

test('a receive without descriptors closes those of the message', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(Buffer.from('x'), [0, 0, 0]);
  assert.equal(await ends.b.receive(Buffer.alloc(1)), 1);
  assert.equal(openDescriptors().size, before);
});

test('descriptors beyond the limit are closed, and the result reports it', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(Buffer.from('x'), [0, 0, 0, 0, 0]);
  const { fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(1), 2);
  assert.equal(fds.length, 2);
  assert.equal(controlTruncated, true);
  assert.equal(openDescriptors().size, before + 2);
  for (const fd of fds) fd.close();
});

test('peeked descriptors are duplicates; the message keeps its own', async () => {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('x'), [0]);
  const peeked = await ends.b.receiveWithFds(Buffer.alloc(1), 1, { flags: MessageFlag.peek });
  const received = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
  assert.equal(peeked.fds.length, 1);
  assert.equal(received.fds.length, 1);
  assert.notEqual(peeked.fds[0]!.fd, received.fds[0]!.fd);
  for (const fd of [...peeked.fds, ...received.fds]) fd.close();
});

test('253 descriptors fit one message', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(Buffer.from('x'), new Array(253).fill(0));
  const { fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(1), 253);
  assert.equal(fds.length, 253);
  assert.equal(controlTruncated, false);
  assert.equal(new Set(fds.map(({ fd }) => fd)).size, 253);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
});

test('254 descriptors are a RangeError before anything happens', async () => {
  using ends = socketPair();
  const tooMany = new Array(254).fill(0);
  assert.throws(() => ends.a.sendWithFds(Buffer.from('x'), tooMany), {
    name: 'RangeError',
    code: 'ERR_OUT_OF_RANGE',
  });
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('a closed descriptor is EBADF, and nothing is sent', async () => {
  using ends = socketPair();
  const closed = FileDescriptor.dup(0);
  closed.close();
  await assert.rejects(ends.a.sendWithFds(Buffer.from('x'), [closed]), { code: 'EBADF', syscall: 'sendmsg' });
  await assert.rejects(ends.a.sendWithFds(Buffer.from('x'), [99_999]), { code: 'EBADF', syscall: 'sendmsg' });
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('descriptors may be closed while the message waits to be sent', async () => {
  using ends = socketPair();
  const queued = await fillSendQueue(ends.a);
  const before = openDescriptors().size;
  const file = openSync(fileWithText(), 'r');
  const sent = ends.a.sendWithFds(Buffer.from('x'), [file]);
  closeSync(file);
  const reused = openSync('/dev/null', 'r');
  assert.equal(reused, file, 'the number now means another file');
  for (let i = 0; i < queued; i++) await ends.b.receive(Buffer.alloc(64));
  assert.equal(await sent, 1);
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
  assert.equal(readFileSync(fds[0]!.fd, 'utf8'), text);
  fds[0]!.close();
  closeSync(reused);
  assert.equal(openDescriptors().size, before);
});

test('a waiting message that is cancelled leaves no descriptor behind', async () => {
  using ends = socketPair();
  await fillSendQueue(ends.a);
  const before = openDescriptors().size;
  const sent = ends.a.sendWithFds(Buffer.from('x'), [0, 1, 2]);
  assert.equal(openDescriptors().size, before + 3);
  ends.a.cancel();
  await assert.rejects(sent, { code: 'ECANCELED' });
  assert.equal(openDescriptors().size, before);
});
