/** No descriptor reaches a child process by accident. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { openSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { os } from '../support/internals.js';
import { scratchPath } from '../support/scratch.js';
import { connectedAt } from '../support/sockets.js';

const F_SETFD = 2;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

/** The flags of an open descriptor, as proc(5) shows them. */
function flagsOf(fd: number): number {
  const line = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  return Number.parseInt(line![1]!, 8);
}

test('every descriptor that the library makes or receives is close-on-exec from the start', async () => {
  const path = scratchPath();
  const acceptor = new SeqpacketAcceptor();
  acceptor.open();
  const { fd } = acceptor;
  acceptor.bind(path);
  acceptor.listen();
  const opened = new SeqpacketSocket();
  opened.open();
  const [client, server] = await connectedAt(acceptor, path);
  const [a, b] = SeqpacketSocket.pair();
  const duplicate = FileDescriptor.dup(0);
  await a.sendWithFds(Buffer.from('x'), [0]);
  const { fds } = await b.receiveWithFds(Buffer.alloc(1), 1);
  const all = { acceptor, opened, client, server, a, b, duplicate, received: fds[0]! };
  assert.equal(acceptor.fd, fd);
  for (const [name, each] of Object.entries(all)) {
    assert.equal(flagsOf(each.fd) & O_CLOEXEC, O_CLOEXEC, name);
    if (!(each instanceof FileDescriptor)) assert.equal(flagsOf(each.fd) & O_NONBLOCK, O_NONBLOCK, name);
    each.close();
  }
});

test('a descriptor that came with a batch is close-on-exec too', async () => {
  const [a, b] = SeqpacketSocket.pair();
  await a.send(Buffer.alloc(0));
  await a.sendWithFds(Buffer.from('x'), [0]);
  await assert.rejects(b.receiveMany(), { code: 'EOF' });
  const { fds } = await b.receiveWithFds(Buffer.alloc(1), 1);
  assert.equal(flagsOf(fds[0]!.fd) & O_CLOEXEC, O_CLOEXEC);
  for (const each of [fds[0]!, a, b]) each.close();
});

test('a descriptor that is taken over becomes close-on-exec, one that is refused stays as it was', () => {
  const [a, b] = SeqpacketSocket.pair();
  using seqpacket = a.release();
  using other = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  for (const { fd } of [seqpacket, other]) {
    os.fcntl(fd, F_SETFD, 0);
    assert.equal(flagsOf(fd) & O_CLOEXEC, 0);
  }
  using adopted = new SeqpacketSocket(seqpacket);
  assert.equal(flagsOf(adopted.fd) & O_CLOEXEC, O_CLOEXEC);
  assert.throws(() => new SeqpacketSocket(other), { syscall: 'getsockopt' });
  assert.equal(flagsOf(other.fd) & O_CLOEXEC, 0);
  b.close();
});

test('a child process inherits none of them', () => {
  const [a, b] = SeqpacketSocket.pair();
  const { stdout } = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
  assert.match(stdout, / 2 -> /);
  for (const { fd } of [a, b]) assert.ok(!stdout.includes(readlinkSync(`/proc/self/fd/${fd}`)));
  a.close();
  b.close();
});
