/** What console.log shows of sockets, acceptors and descriptors; it never throws. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { connect, FileDescriptor, listen, pair, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';

test('a connected socket shows its names, its peer and its counters', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  using client = await connect(path);
  await client.send('text');
  const { pid } = process;
  const shown = inspect(client, { compact: 9, breakLength: Number.POSITIVE_INFINITY });
  assert.equal(
    shown,
    `SeqpacketSocket { isOpen: true, fd: ${client.fd}, localPath: '', remotePath: '${path}', ` +
      `peer: { pid: ${pid}, uid: ${process.getuid?.()}, gid: ${process.getgid?.()} }, ` +
      'counters: { messagesSent: 1, bytesSent: 4, messagesReceived: 0, bytesReceived: 0, pendingSends: 0, ' +
      'pendingReceives: 0 } }',
  );
  assert.equal(
    inspect(acceptor, { compact: 9, breakLength: Number.POSITIVE_INFINITY }),
    `SeqpacketAcceptor { isOpen: true, fd: ${acceptor.fd}, localPath: '${path}', ` +
      'counters: { accepted: 0, refused: 0, pendingAccepts: 0 } }',
  );
});

test('a socket that is not open shows only its state', () => {
  const [a, b] = pair();
  a.close();
  b.close();
  assert.equal(inspect(a), 'SeqpacketSocket { isOpen: false }');
  assert.equal(inspect(new SeqpacketSocket()), 'SeqpacketSocket { isOpen: false }');
  assert.equal(inspect(new SeqpacketAcceptor()), 'SeqpacketAcceptor { isOpen: false }');
});

test('a socket without a peer shows none', () => {
  using socket = new SeqpacketSocket();
  socket.open();
  assert.doesNotMatch(inspect(socket), /peer/);
  assert.match(inspect(socket), /isOpen: true/);
});

test('a descriptor shows the type of its file', () => {
  using descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  assert.equal(
    inspect(descriptor),
    `FileDescriptor { fd: ${fd}, type: 'characterDevice', file: '/dev/null' }`,
  );
  descriptor.close();
  assert.equal(inspect(descriptor), 'FileDescriptor { fd: -1 }');
});

test('a descriptor closed elsewhere is shown without an error', () => {
  const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  closeSync(fd);
  assert.equal(inspect(descriptor), `FileDescriptor { fd: ${fd} }`);
  descriptor.detach();
});

test('a deeply nested object shows its class name, also of a subclass', () => {
  class Client extends SeqpacketSocket {}
  const client = new Client();
  assert.equal(inspect({ a: { b: { c: client } } }, { depth: 1 }), '{ a: { b: [Object] } }');
  assert.equal(
    inspect({ a: { b: { client } } }, { depth: 2, breakLength: 200 }),
    '{ a: { b: { client: [Client] } } }',
  );
  assert.equal(inspect([client]), '[ Client { isOpen: false } ]');
});
