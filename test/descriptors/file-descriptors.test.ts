import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  FileDescriptor,
  type FileType,
  pairForChild,
  SeqpacketSocket,
  type SocketFamily,
  type SocketType,
} from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from '../support/descriptors.js';
import { missing } from '../support/programs.js';

test('adopt takes a number over, close closes it', () => {
  const fd = openSync('/dev/null', 'r');
  const descriptor = FileDescriptor.adopt(fd);
  assert.equal(descriptor.fd, fd);
  assert.equal(String(descriptor), `/dev/fd/${fd}`);
  descriptor.close();
  assert.equal(descriptor.fd, -1);
  assert.equal(isOpenDescriptor(fd), false);
});

test('closing twice never closes a number that was reused', () => {
  const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  descriptor.close();
  const reused = openSync('/dev/null', 'r');
  assert.equal(reused, fd);
  descriptor.close();
  descriptor[Symbol.dispose]();
  assert.equal(isOpenDescriptor(reused), true);
  closeSync(reused);
});

test('detach gives the number up without closing it', () => {
  const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  assert.equal(descriptor.detach(), fd);
  assert.equal(descriptor.fd, -1);
  assert.equal(descriptor.detach(), -1);
  descriptor.close();
  assert.equal(isOpenDescriptor(fd), true);
  closeSync(fd);
});

test('dup makes another descriptor of the same file, with an owner of its own', () => {
  using first = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const second = first.dup();
  assert.notEqual(second.fd, first.fd);
  assert.equal(fstatSync(second.fd).rdev, fstatSync(first.fd).rdev);
  second.close();
  assert.equal(isOpenDescriptor(first.fd), true);
});

test('FileDescriptor.dup leaves the descriptor of another owner open', () => {
  const [a, b] = SeqpacketSocket.pair();
  for (const source of [0, { fd: 0 }, a]) {
    const duplicate = FileDescriptor.dup(source);
    assert.ok(duplicate.fd > 2);
    duplicate.close();
  }
  assert.equal(a.isOpen, true);
  assert.equal(isOpenDescriptor(0), true);
  a.close();
  b.close();
});

test('using closes', () => {
  const before = openDescriptors().size;
  {
    using _descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
    assert.equal(openDescriptors().size, before + 1);
  }
  assert.equal(openDescriptors().size, before);
});

test('a closed descriptor cannot be duplicated', () => {
  const descriptor = FileDescriptor.dup(0);
  descriptor.close();
  assert.throws(() => descriptor.dup(), { code: 'EBADF' });
});

/** A descriptor for the test, however it is made. */
const kinds: [FileType, string, (t: TestContext) => FileDescriptor | Promise<FileDescriptor>][] = [
  ['file', 'a regular file', () => opened('/etc/hostname')],
  ['directory', 'a directory', () => opened('/tmp')],
  ['characterDevice', '/dev/null', () => opened('/dev/null')],
  ['symlink', 'a symbolic link, by O_PATH', () => opened('/proc/self/exe', O_PATH | constants.O_NOFOLLOW)],
  ['fifo', 'a pipe', (t) => fromPython(t, 'os.pipe()[0]')],
  [
    'socket',
    'a SEQPACKET socket',
    (t) => fromPython(t, 'socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0].detach()'),
  ],
  ['socket', 'a TCP socket', (t) => fromPython(t, 'socket.socket().detach()')],
  [
    'socket',
    'a UDP socket of IPv6',
    (t) => fromPython(t, 'socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).detach()'),
  ],
  ['file', 'a memfd', (t) => fromPython(t, 'os.memfd_create("x")')],
  ['unknown', 'an epoll descriptor', (t) => fromPython(t, '(kept := __import__("select").epoll()).fileno()')],
];
const O_PATH = 0o10000000;

function opened(path: string, flags: number = constants.O_RDONLY): FileDescriptor {
  return FileDescriptor.adopt(openSync(path, flags));
}

/** Made by Python, and sent. */
async function fromPython(t: TestContext, expression: string): Promise<FileDescriptor> {
  const [ours, theirs] = pairForChild();
  const script = `import os, socket; made = ${expression}
peer = socket.socket(fileno=3); socket.send_fds(peer, [b'x'], [made])`;
  const { stderr } = spawnSync('python3', ['-c', script], {
    stdio: ['ignore', 'inherit', 'pipe', theirs.fd],
    encoding: 'utf8',
  });
  theirs.close();
  t.after(() => ours.close());
  const { fds } = await ours.receiveMessage({ maxFds: 1 });
  assert.equal(fds.length, 1, stderr);
  return fds[0]!;
}

const withPython = { skip: missing('python3') };
const sockets: Record<string, [SocketFamily, SocketType]> = {
  'a SEQPACKET socket': ['unix', 'seqpacket'],
  'a TCP socket': ['inet', 'stream'],
  'a UDP socket of IPv6': ['inet6', 'datagram'],
};

for (const [type, what, make] of kinds) {
  test(`${what} is of type ${type}`, withPython, async (t) => {
    using descriptor = await make(t);
    assert.equal(descriptor.type, type);
    assert.equal(descriptor.isSocket(), type === 'socket');
    for (const [socket, [family, socketType]] of Object.entries(sockets)) {
      assert.equal(descriptor.isSocket(family, socketType), what === socket);
      assert.equal(descriptor.isSocket(family), what === socket);
      assert.equal(descriptor.isSocket(undefined, socketType), what === socket);
    }
    assert.equal(descriptor.isSocket(1, 5), what === 'a SEQPACKET socket');
    assert.equal(descriptor.isSocket(1, 1), false);
  });
}

test('nonBlocking is read and set, for all duplicates', async (t) => {
  const [socket, theirs] = pairForChild();
  t.after(() => socket.close());
  using descriptor = theirs;
  using duplicate = descriptor.dup();
  assert.equal(descriptor.nonBlocking, false);
  descriptor.nonBlocking = true;
  assert.deepEqual([descriptor.nonBlocking, duplicate.nonBlocking], [true, true]);
  assert.match(readFileSync(`/proc/self/fdinfo/${descriptor.fd}`, 'utf8'), /^flags:\s*0?2?0?04002$/m);
  duplicate.nonBlocking = false;
  assert.deepEqual([descriptor.nonBlocking, duplicate.nonBlocking], [false, false]);
});

test('type, nonBlocking and isSocket throw EBADF once it is closed, and check their arguments', () => {
  const descriptor = FileDescriptor.dup(0);
  assert.throws(() => descriptor.isSocket('ipv4' as never), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => descriptor.isSocket('unix', 'toString' as never), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => descriptor.isSocket(-1), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => descriptor.isSocket(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(
    () => {
      descriptor.nonBlocking = 1 as never;
    },
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
  descriptor.close();
  assert.throws(() => descriptor.type, { code: 'EBADF', syscall: 'fstat' });
  assert.throws(() => descriptor.nonBlocking, { code: 'EBADF', syscall: 'fcntl' });
  assert.throws(
    () => {
      descriptor.nonBlocking = true;
    },
    { code: 'EBADF', syscall: 'fcntl' },
  );
  assert.throws(() => descriptor.isSocket(), { code: 'EBADF' });
});
