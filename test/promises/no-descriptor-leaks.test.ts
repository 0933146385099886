/** Promise: no descriptor leaks, whatever a peer sends and whatever is forgotten. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from '../support/descriptors.js';
import { os } from '../support/internals.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { listeningAt, socketPair } from '../support/sockets.js';

const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const SO_PASSPIDFD = 76;

test('descriptors for a receive that asks for none, or for fewer, are closed', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  for (const maxFds of [0, 1, 4, 5, 6, 253]) {
    await ends.a.sendWithFds(Buffer.from('x'), [0, 1, 2, 0, 1]);
    const { fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(1), maxFds);
    assert.equal(fds.length, Math.min(maxFds, 5));
    assert.equal(controlTruncated, maxFds < 5);
    for (const fd of fds) fd.close();
    assert.equal(openDescriptors().size, before);
  }
});

test('several control messages in one message are all received', { skip: missing('python3') }, async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const script = `
import socket, sys, array
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[1])
rights = lambda *fds: (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
import os, struct
credentials = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", os.getpid(), os.getuid(), os.getgid()))
c.sendmsg([b"x"], [rights(0), rights(1, 2), credentials, rights(0)])
`;
  const child = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = once(child, 'exit');
  using socket = await acceptor.accept();
  os.setsockopt(socket.fd, SOL_SOCKET, SO_PASSCRED, Int32Array.of(1));
  const before = openDescriptors().size;
  const { fds, controlTruncated } = await socket.receiveWithFds(Buffer.alloc(1), 10);
  assert.deepEqual([fds.length, controlTruncated], [4, false]);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
  await exit;
});

test('an unrequested pidfd is closed', async (t) => {
  using ends = socketPair();
  if (os.setsockopt(ends.b.fd, SOL_SOCKET, SO_PASSPIDFD, Int32Array.of(1)) < 0) {
    t.skip('this kernel has no SO_PASSPIDFD');
    return;
  }
  const before = openDescriptors().size;
  await ends.a.sendWithFds(Buffer.from('x'), [0]);
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 5);
  assert.equal(fds.length, 1);
  fds[0]!.close();
  await ends.a.send(Buffer.from('x'));
  await ends.b.receive(Buffer.alloc(1));
  assert.equal(openDescriptors().size, before);
});

/** Runs a script in a process that may open few descriptors, after it has opened as many as it can. */
function withoutDescriptors(script: string): unknown {
  const prelude = `
    import { openSync, closeSync } from 'node:fs';
    import { listen, SeqpacketSocket } from 'seqpacket';
    const path = ${JSON.stringify(scratchPath())};
    // What Node.js loads lazily is loaded now, while there are descriptors.
    await new SeqpacketSocket().connect(path).catch(() => {});
    const hoard = [];
    const exhaust = () => { try { for (;;) hoard.push(openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; } };
    const free = (count) => { for (let i = 0; i < count; i++) closeSync(hoard.pop()); };
    const done = (result) => { free(hoard.length); console.log(JSON.stringify(result)); process.exit(); };
  `;
  const command = 'ulimit -n 60; exec "$0" --input-type=module -e "$1"';
  const child = spawnSync('sh', ['-c', command, process.execPath, prelude + script], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout);
}

test('EMFILE while receiving: the kernel drops descriptors, and the result reports it', () => {
  const result = withoutDescriptors(`
    const [a, b] = SeqpacketSocket.pair();
    await a.sendWithFds(Buffer.from('message'), [0, 1, 2, 0, 1]);
    exhaust();
    free(2);
    const { bytesRead, fds, controlTruncated } = await b.receiveWithFds(Buffer.alloc(10), 5);
    done({ bytesRead, fds: fds.length, controlTruncated });
  `);
  assert.deepEqual(result, { bytesRead: 7, fds: 2, controlTruncated: true });
});

test('EMFILE while making sockets leaves nothing half made', () => {
  const result = withoutDescriptors(`
    exhaust();
    const codes = [];
    const attempt = (call) => { try { call(); } catch (error) { codes.push(error.code + ' ' + error.syscall); } };
    attempt(() => SeqpacketSocket.pair());
    attempt(() => new SeqpacketSocket().open());
    free(1);
    attempt(() => SeqpacketSocket.pair());
    const socket = new SeqpacketSocket();
    attempt(() => socket.open());
    codes.push(String(socket.isOpen));
    await new SeqpacketSocket().connect(path).catch((error) => codes.push(error.code + ' ' + error.syscall));
    socket.close();
    done(codes);
  `);
  assert.deepEqual(result, [
    'EMFILE socketpair',
    'EMFILE socket',
    'EMFILE socketpair',
    'true',
    'EMFILE socket',
  ]);
});

test('a waiting send is refused if its descriptors cannot be duplicated', () => {
  const result = withoutDescriptors(`
    const [a, b] = SeqpacketSocket.pair();
    a.setOption('sendBufferSize', 4608);
    try { for (;;) await a.send(Buffer.alloc(64), { flags: 0x40 }); } catch {}
    exhaust();
    free(1);
    const code = await a.sendWithFds(Buffer.alloc(1), [0, 1]).catch((error) => error.code + ' ' + error.syscall);
    const again = new SeqpacketSocket();
    again.open();
    done([code, again.isOpen]);
  `);
  assert.deepEqual(result, ['EMFILE dup', true]);
});

test('EMFILE while peeking at a message that is held back', () => {
  const result = withoutDescriptors(`
    const [a, b] = SeqpacketSocket.pair();
    await a.sendWithFds(Buffer.from('message'), [0, 1, 2, 0]);
    await b.receive(Buffer.alloc(1)).catch(() => {});
    exhaust();
    free(2);
    const { fds, controlTruncated } = await b.receiveWithFds(Buffer.alloc(10), 4, { flags: 2 });
    for (const fd of fds) fd.close();
    const peeked = await b.receive(Buffer.alloc(10), { flags: 2 });
    exhaust();
    const whole = await b.receiveWithFds(Buffer.alloc(10), 4);
    done([fds.length, controlTruncated, peeked, whole.fds.length, whole.controlTruncated]);
  `);
  assert.deepEqual(result, [2, true, 7, 4, false]);
});

/** Runs the collector until a condition holds. */
async function collectUntil(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const forgotten: [string, () => number[]][] = [
  ['a FileDescriptor', () => [FileDescriptor.adopt(openSync('/dev/null', 'r')).fd]],
  ['a pair of sockets', () => SeqpacketSocket.pair().map(({ fd }) => fd)],
  [
    'an acceptor',
    () => {
      const acceptor = new SeqpacketAcceptor();
      acceptor.open();
      return [acceptor.fd];
    },
  ],
];
for (const [what, make] of forgotten) {
  test(`${what} that is collected is closed, with a process warning`, async () => {
    const warnings: (Error & { code?: string })[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    const printing = process.listeners('warning');
    process.removeAllListeners('warning').on('warning', onWarning);
    const numbers = make();
    await collectUntil(() => numbers.every((fd) => !isOpenDescriptor(fd)));
    for (const fd of numbers) assert.equal(isOpenDescriptor(fd), false);
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    for (const each of printing) process.on('warning', each);
    assert.equal(warnings.length, numbers.length);
    for (const warning of warnings) {
      assert.equal(warning.code, 'SEQPACKET_DESCRIPTOR_COLLECTED');
      assert.match(warning.message, /file descriptor \d+/);
    }
  });
}

test('a number closed elsewhere does not crash the process when its owner is collected', async () => {
  const printing = process.listeners('warning');
  const warnings: Error[] = [];
  process.removeAllListeners('warning').on('warning', (warning) => warnings.push(warning));
  (() => closeSync(FileDescriptor.adopt(openSync('/dev/null', 'r')).fd))();
  await collectUntil(() => warnings.length > 0);
  process.removeAllListeners('warning');
  for (const each of printing) process.on('warning', each);
  assert.match(warnings[0]!.message, /without closing it: close EBADF/);
});

test('sockets that waited, and are collected when they wait no more, are closed', async () => {
  const start = async () => {
    const [a, b] = SeqpacketSocket.pair();
    const received = a.receive(Buffer.alloc(1));
    await b.send(Buffer.alloc(1));
    await received;
    return [a.fd, b.fd];
  };
  const printing = process.listeners('warning');
  process.removeAllListeners('warning');
  const numbers = await start();
  await collectUntil(() => numbers.every((fd) => !isOpenDescriptor(fd)));
  assert.deepEqual(numbers.map(isOpenDescriptor), [false, false]);
  for (const each of printing) process.on('warning', each);
});

test('a socket with an operation that waits is not collected', async () => {
  const [a, b] = SeqpacketSocket.pair();
  let received: Promise<number> | undefined;
  (() => {
    const kept = new SeqpacketSocket(a.release());
    received = kept.receive(Buffer.alloc(10));
  })();
  for (let i = 0; i < 20; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await b.send(Buffer.from('still there'.slice(0, 10)));
  assert.equal(await received, 10);
  b.close();
});

test('a closed or detached descriptor is not closed again when it is collected', async () => {
  const closed = (() => {
    const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
    const { fd } = descriptor;
    descriptor.close();
    return fd;
  })();
  const reused = openSync('/dev/null', 'r');
  assert.equal(reused, closed);
  const detached = FileDescriptor.adopt(openSync('/dev/null', 'r')).detach();
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  registry.register({}, undefined);
  await collectUntil(() => collected > 0);
  assert.deepEqual([reused, detached].map(isOpenDescriptor), [true, true]);
  closeSync(reused);
  closeSync(detached);
});
