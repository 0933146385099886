/** Descriptors of blocking calls: passed on, never leaked, also if this process can open no more of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fstatSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FileDescriptor } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { socketPair } from '../support/sockets.js';

test('descriptors are sent and received, and those that were not requested are closed', () => {
  using ends = socketPair();
  using file = FileDescriptor.dup(0);
  const before = openDescriptors();
  const send = () => ends.a.sendSync('x', { fds: [file, file] });
  send();
  const { fds, controlTruncated } = ends.b.receiveMessageSync({ maxFds: 2 });
  assert.equal(controlTruncated, false);
  assert.deepEqual(
    fds.map(({ fd }) => fstatSync(fd).ino),
    [fstatSync(file.fd).ino, fstatSync(file.fd).ino],
  );
  for (const { fd } of fds) assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s*02/);
  for (const fd of fds) fd.close();
  send();
  const one = ends.b.receiveMessageSync({ maxFds: 1 });
  assert.equal(one.controlTruncated, true);
  assert.equal(one.fds.length, 1);
  one.fds[0]!.close();
  send();
  assert.equal(ends.b.receiveMessageSync().controlTruncated, true);
  send();
  ends.b.receiveSync(Buffer.alloc(1));
  send();
  ends.b.receiveManySync();
  assert.deepEqual(openDescriptors(), before);
});

test('a send with descriptors that times out leaves none of its duplicates', () => {
  using ends = socketPair();
  while (ends.a.trySend('x')) {}
  const before = openDescriptors();
  assert.throws(() => ends.a.sendSync('x', { fds: [0, 1, 2], timeout: 5 }), { code: 'ETIMEDOUT' });
  assert.deepEqual(openDescriptors(), before);
  const closed = FileDescriptor.dup(0);
  const number = closed.fd;
  closed.close();
  assert.throws(() => ends.a.sendSync('x', { fds: [number], timeout: 5 }), {
    code: 'EBADF',
    syscall: 'sendmsg',
  });
});

test('without a free descriptor, messages go on, and calls that need one fail with EMFILE', () => {
  const program = `
    import assert from 'node:assert/strict';
    import { closeSync, openSync } from 'node:fs';
    import { connectSync, listen, pair } from 'seqpacket';
    const path = process.argv[1];
    const acceptor = listen(path);
    const client = connectSync(path);
    const [a, b] = pair();
    const passed = openSync('/dev/null');
    const fails = (call, expected) => assert.throws(call, { code: 'EMFILE', ...expected });

    const hoard = [];
    try { for (;;) hoard.push(openSync('/dev/null')); } catch {}
    a.sendSync('hello');
    assert.equal(b.receiveSync(Buffer.alloc(5)), 5);
    assert.throws(() => b.receiveSync(Buffer.alloc(5), { timeout: 60 }), { code: 'ETIMEDOUT' });
    fails(() => connectSync(path), { syscall: 'socket' });
    fails(() => acceptor.acceptSync(), { syscall: 'accept4', address: path });
    a.sendSync('with a descriptor', { fds: [passed] });
    const cut = b.receiveMessageSync({ maxFds: 1 });
    assert.deepEqual([String(cut.data), cut.fds.length, cut.controlTruncated], ['with a descriptor', 0, true]);
    let sent = 0;
    while (a.trySend('x')) sent++;
    assert.throws(() => a.sendSync('late', { timeout: 60 }), { code: 'ETIMEDOUT' });
    fails(() => a.sendSync('late', { fds: [passed] }), { syscall: 'dup' });

    for (const fd of hoard) closeSync(fd);
    while (sent-- > 0) b.receiveSync(Buffer.alloc(4));
    assert.throws(() => b.receiveMessageSync({ timeout: 0 }), { code: 'ETIMEDOUT' }, 'nothing else was sent');
    acceptor.acceptSync({ timeout: 0 }).close();
    assert.throws(() => client.receiveMessageSync(), { code: 'EOF' });
    acceptor.close();
  `;
  const command = 'ulimit -n 60; exec "$0" --input-type=module -e "$1" "$2"';
  const args = ['-c', command, process.execPath, program, scratchPath()];
  const child = spawnSync('sh', args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(child.signal ?? child.status, 0, child.stderr);
});
