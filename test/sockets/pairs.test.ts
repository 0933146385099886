import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';
import { receiveText } from '../support/sockets.js';

test('pair makes two open sockets that are connected with each other and have no names', async () => {
  const [a, b] = SeqpacketSocket.pair();
  assert.ok(a instanceof SeqpacketSocket && b instanceof SeqpacketSocket);
  assert.deepEqual([a.isOpen, b.isOpen], [true, true]);
  assert.notEqual(a.fd, b.fd);
  assert.deepEqual([a.localPath, a.remotePath, b.localPath, b.remotePath], ['', '', '', '']);
  await a.send(Buffer.from('to b'));
  await b.send(Buffer.from('to a'));
  assert.equal(await receiveText(b), 'to b');
  assert.equal(await receiveText(a), 'to a');
  a.close();
  b.close();
});
