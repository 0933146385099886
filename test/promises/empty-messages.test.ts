/** Promise: with `emptyMessages: 'deliver'` an empty message and the end of file are told apart exactly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageFlag, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { os } from '../support/internals.js';
import { receiveText, socketPair } from '../support/sockets.js';

const nothing = Buffer.alloc(0);
const buffer = Buffer.alloc(100);

function delivering() {
  const ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  return ends;
}

async function isAtEnd(socket: SeqpacketSocket): Promise<void> {
  for (let times = 0; times < 3; times++) await assert.rejects(socket.receive(buffer), { code: 'EOF' });
}

test('an empty message is delivered as one', async () => {
  using ends = delivering();
  await ends.a.send(nothing);
  assert.equal(await ends.b.receive(buffer), 0);
});

test('a receive that waits gets an empty message', async () => {
  using ends = delivering();
  const received = ends.b.receive(buffer);
  await ends.a.send(nothing);
  assert.equal(await received, 0);
});

test('many in a row, among others, are all counted', async () => {
  using ends = delivering();
  const lengths = Array.from({ length: 200 }, (_, index) => (index % 7 === 3 ? index : 0));
  for (const length of lengths) await ends.a.send(Buffer.alloc(length));
  for (const length of lengths) assert.equal(await ends.b.receive(Buffer.alloc(300)), length);
});

test('empty messages right before the peer closes are delivered, then the end', async () => {
  using ends = delivering();
  await ends.a.send(Buffer.from('last but two'));
  await ends.a.send(nothing);
  await ends.a.send(nothing);
  ends.a.close();
  assert.equal(await receiveText(ends.b), 'last but two');
  assert.equal(await ends.b.receive(buffer), 0);
  assert.equal(await ends.b.receive(buffer), 0);
  await isAtEnd(ends.b);
});

test('shutdown is the end, not an empty message', async () => {
  using ends = delivering();
  ends.a.shutdown('send');
  await isAtEnd(ends.b);
});

test('a receive that waits when the peer closes gets the end', async () => {
  using ends = delivering();
  const received = ends.b.receive(buffer);
  ends.a.close();
  await assert.rejects(received, { code: 'EOF' });
});

test('an empty message that carries descriptors is delivered with them', async () => {
  using ends = delivering();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(nothing, [0, 1]);
  const { bytesRead, fds } = await ends.b.receiveWithFds(buffer, 2);
  assert.deepEqual([bytesRead, fds.length], [0, 2]);
  for (const fd of fds) fd.close();
  await ends.a.sendWithFds(nothing, [0, 1]);
  assert.equal(await ends.b.receive(buffer), 0);
  assert.equal(openDescriptors().size, before);
});

test('it works for messages that were queued before the option was set', async () => {
  using ends = socketPair();
  await ends.a.send(nothing);
  await ends.a.send(nothing);
  ends.a.close();
  ends.b.setOption('emptyMessages', 'deliver');
  assert.equal(await ends.b.receive(buffer), 0);
  assert.equal(await ends.b.receive(buffer), 0);
  await isAtEnd(ends.b);
});

test('an empty message can be peeked at', async () => {
  using ends = delivering();
  await ends.a.send(nothing);
  assert.equal(await ends.b.receive(buffer, { flags: MessageFlag.peek }), 0);
  assert.equal(await ends.b.receive(buffer), 0);
  ends.a.close();
  await assert.rejects(ends.b.receive(buffer, { flags: MessageFlag.peek }), { code: 'EOF' });
});

test('a buffer without room is no obstacle', async () => {
  using ends = delivering();
  await ends.a.send(nothing);
  await ends.a.send(Buffer.from('x'));
  assert.equal(await ends.b.receive(nothing), 0);
  await assert.rejects(ends.b.receive(nothing), { code: 'EMSGSIZE', messageSize: 1 });
});

test('the socket does not get a name by it, as SO_PASSCRED would give it', async () => {
  using ends = delivering();
  await ends.b.send(Buffer.from('x'));
  assert.equal(ends.b.localPath, '');
});

test('by default both are the end of file, and the descriptors of an empty message are closed', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(nothing, [0, 1]);
  await ends.a.send(Buffer.from('after'));
  await assert.rejects(ends.b.receiveWithFds(buffer, 2), { code: 'EOF' });
  assert.equal(openDescriptors().size, before);
  assert.equal(await receiveText(ends.b), 'after');
});

test('the option can be taken back', async () => {
  using ends = delivering();
  ends.b.setOption('emptyMessages', 'eof');
  await ends.a.send(nothing);
  await assert.rejects(ends.b.receive(buffer), { code: 'EOF' });
});

test('setting emptyMessages again restores the socket option that another owner has unset', async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  const [SOL_SOCKET, SO_TIMESTAMP] = [1, 29];
  assert.equal(os.setsockopt(ends.b.fd, SOL_SOCKET, SO_TIMESTAMP, Int32Array.of(0)), 0);
  ends.b.setOption('emptyMessages', 'deliver');
  await ends.a.send(Buffer.alloc(0));
  assert.equal(await ends.b.receive(Buffer.alloc(1)), 0);
});
