import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { connectedAt, fillSendQueue, listeningAt, socketPair } from '../support/sockets.js';

test('buffer sizes are set, and read as the kernel keeps them: doubled', () => {
  using ends = socketPair();
  for (const name of ['sendBufferSize', 'receiveBufferSize'] as const) {
    assert.ok(ends.a.getOption(name) > 0);
    ends.a.setOption(name, 50_000);
    assert.equal(ends.a.getOption(name), 100_000);
    assert.notEqual(ends.b.getOption(name), 100_000);
  }
});

test('the send buffer decides how much may wait', async () => {
  using ends = socketPair();
  using others = socketPair();
  ends.a.setOption('sendBufferSize', 8192);
  assert.ok((await fillSendQueue(ends.a)) < (await fillSendQueue(others.a)));
});

test('debug is a boolean', () => {
  using ends = socketPair();
  assert.equal(ends.a.getOption('debug'), false);
  ends.a.setOption('debug', false);
  try {
    ends.a.setOption('debug', true);
    assert.equal(ends.a.getOption('debug'), true);
    assert.equal(ends.b.getOption('debug'), false);
  } catch (error) {
    // Without CAP_NET_ADMIN, as socket(7) says.
    assert.equal((error as NodeJS.ErrnoException).code, 'EACCES');
    assert.equal((error as NodeJS.ErrnoException).syscall, 'setsockopt');
  }
});

/** Not `process.getgroups()`, which adds the effective group. */
function supplementaryGroups(): number[] {
  const line = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return line.split(/\s+/).filter(Boolean).map(Number).sort();
}

test('remoteCredentials reports the credentials of the peer', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [client, server] = await connectedAt(acceptor, path);
  const expected = {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    groups: supplementaryGroups(),
  };
  for (const each of [client, server]) {
    const credentials = each.getOption('remoteCredentials');
    assert.deepEqual({ ...credentials, groups: credentials.groups.sort() }, expected);
    each.close();
  }
});

test('remoteSecurityLabel is a label, or ENOPROTOOPT where there is no security module', () => {
  using ends = socketPair();
  try {
    const label = ends.a.getOption('remoteSecurityLabel');
    assert.equal(typeof label, 'string');
    assert.ok(!label.includes('\0'));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOPROTOOPT');
    assert.equal((error as NodeJS.ErrnoException).syscall, 'getsockopt');
  }
});

test('emptyMessages is read and set', () => {
  using ends = socketPair();
  assert.equal(ends.a.getOption('emptyMessages'), 'eof');
  ends.a.setOption('emptyMessages', 'deliver');
  assert.equal(ends.a.getOption('emptyMessages'), 'deliver');
  assert.equal(ends.b.getOption('emptyMessages'), 'eof');
});

test('a socket that is opened again has its options anew', () => {
  const socket = new SeqpacketSocket();
  socket.open();
  socket.setOption('emptyMessages', 'deliver');
  socket.close();
  socket.open();
  assert.equal(socket.getOption('emptyMessages'), 'eof');
  socket.close();
});
