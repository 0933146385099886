/** The package as its users see it: names, modules, types. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as imported from 'seqpacket';

const required = createRequire(import.meta.url)('seqpacket');

test('the face has these names and no others', () => {
  assert.deepEqual(Object.keys(imported).sort(), [
    'FileDescriptor',
    'MessageBatch',
    'MessageFlag',
    'SeqpacketAcceptor',
    'SeqpacketSocket',
    'SharedChannel',
    'activated',
    'connect',
    'connectSync',
    'listen',
    'pair',
    'pairForChild',
    'shareMemory',
  ]);
});

test('import and require give the very same classes', () => {
  assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
  for (const [name, value] of Object.entries(imported)) assert.equal(required[name], value, name);
});

test('message flags are the numbers of recvmsg(2)', () => {
  assert.deepEqual(imported.MessageFlag, { peek: 2, dontWait: 0x40, truncate: 0x20 });
  assert.ok(Object.isFrozen(imported.MessageFlag));
});

test('every operation in Emilua’s table exists', () => {
  const socket = imported.SeqpacketSocket.prototype;
  const names = ['open', 'bind', 'connect', 'disconnect', 'assign', 'release', 'close', 'cancel', 'shutdown'];
  names.push('receive', 'send', 'receiveWithFds', 'sendWithFds', 'setOption', 'getOption', 'ioControl');
  names.push('isOpen', 'localPath', 'remotePath', 'wait');
  for (const name of names) assert.ok(name in socket, name);
  const acceptor = imported.SeqpacketAcceptor.prototype;
  const others = ['open', 'bind', 'listen', 'accept', 'close', 'cancel', 'assign', 'release', 'setOption'];
  for (const name of [...others, 'getOption', 'isOpen', 'localPath', 'wait'])
    assert.ok(name in acceptor, name);
});
