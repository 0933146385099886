/** The beginning of a channel: options, the hand-shake, and the socket that the channel takes over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { connect, listen, pair, SeqpacketSocket, SharedChannel, shareMemory } from 'seqpacket';
import { allUnmapped, channelPair } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';

test('wrong arguments are refused before anything happens', async () => {
  const [left, right] = pair();
  const wrong = (options: object) => () => shareMemory(left, options);
  assert.throws(() => shareMemory({} as SeqpacketSocket), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const bytes of [0, 4095, 2 ** 30 + 1, 5000.5]) {
    assert.throws(wrong({ bytes }), { code: 'ERR_OUT_OF_RANGE' });
  }
  assert.throws(wrong({ bytes: '4096' }), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(wrong({ signal: 1 }), { code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(shareMemory(left, { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  await assert.rejects(shareMemory(new SeqpacketSocket()), { code: 'EBADF' });
  await left.send('still a socket');
  assert.equal(String((await right.receiveMessage()).data), 'still a socket');
  left.close();
  right.close();
});

test('a socket on which operations wait, or that holds a message, is refused', async () => {
  const [left, right] = pair();
  const waiting = left.receiveMessage();
  await assert.rejects(shareMemory(left), { code: 'EBUSY' });
  await right.send('long');
  await waiting;
  await right.send('long');
  await assert.rejects(left.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  await assert.rejects(shareMemory(left), { code: 'ERR_INVALID_STATE' });
  left.close();
  right.close();
});

test('sizes are rounded up to powers of 2, and may differ', async () => {
  const [left, right] = pair();
  const [a, b] = await Promise.all([
    shareMemory(left, { bytes: 4097 }),
    shareMemory(right, { bytes: 70_000 }),
  ]);
  assert.equal(await a.send(Buffer.alloc(4088)), 4088);
  await assert.rejects(a.send(Buffer.alloc(4089)), { code: 'EMSGSIZE' });
  assert.equal(await b.send(Buffer.alloc(65_528)), 65_528);
  await assert.rejects(b.send(Buffer.alloc(65_529)), { code: 'EMSGSIZE' });
  a.close();
  b.close();
});

test('an abort, and a peer that closes, end the hand-shake, the socket and the memory', async () => {
  const descriptors = openDescriptors().size;
  const [left, right] = pair();
  const controller = new AbortController();
  const aborted = shareMemory(left, { signal: controller.signal });
  controller.abort(new Error('reason'));
  await assert.rejects(aborted, { code: 'ABORT_ERR' });
  assert.equal(left.isOpen, false);
  await assert.rejects(shareMemory(right), { code: 'EPIPE' });
  assert.equal(right.isOpen, false);

  const [here, there] = pair();
  const refused = shareMemory(here);
  there.close();
  await assert.rejects(refused, { code: 'ECONNRESET' });
  assert.equal(here.isOpen, false);
  assert.equal(openDescriptors().size, descriptors);
  await allUnmapped();
});

test('other operations cannot take the message of the hand-shake', async () => {
  const [left, right] = pair();
  const sharing = [shareMemory(left), shareMemory(right)] as const;
  const busy = { code: 'EBUSY' };
  await assert.rejects(right.receiveMessage(), busy);
  await assert.rejects(right.send('x'), busy);
  assert.throws(() => right.receiveMessageSync(), busy);
  await assert.rejects(shareMemory(right), busy);
  const [a, b] = await Promise.all(sharing);
  await a.send('message');
  assert.equal(String((await b.receiveMessage()).data), 'message');
  a.close();
  b.close();
});

test('cancel() and close() end the hand-shake', async () => {
  for (const end of ['cancel', 'close'] as const) {
    const [left, right] = pair();
    const sharing = shareMemory(left);
    await right.receiveMessage();
    left[end]();
    await assert.rejects(sharing, { code: 'ECANCELED' });
    assert.equal(left.isOpen, false);
    right.close();
  }
  await allUnmapped();
});

test('a socket that is opened again during the hand-shake stays open', async () => {
  const [left, right] = pair();
  const sharing = shareMemory(left);
  left.close();
  left.open();
  // The number of the descriptor is used again, and is not received from.
  await assert.rejects(sharing, { code: 'EBADF' });
  assert.equal(left.isOpen, true);
  left.close();
  right.close();
  await allUnmapped();
});

test('a socket that is connecting is refused', async () => {
  const path = scratchPath();
  const server = listen(path, { backlog: 0 });
  using _first = await connect(path);
  const socket = new SeqpacketSocket();
  const connecting = socket.connect(path);
  await assert.rejects(shareMemory(socket), { code: 'EBUSY' });
  server.close();
  await assert.rejects(connecting, { code: 'ENOENT' });
  socket.close();
});

test('a connection that is not connected', async () => {
  const socket = new SeqpacketSocket();
  socket.open();
  await assert.rejects(shareMemory(socket), { code: 'ENOTCONN' });
  assert.equal(socket.isOpen, false);
});

test('the socket belongs to the channel: options work, other operations fail', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  const { socket } = a;
  assert.equal(socket.getOption('remoteCredentials').pid, process.pid);
  socket.setOption('sendBufferSize', 100_000);
  assert.ok(socket.getOption('sendBufferSize') >= 100_000);
  assert.equal(socket.isOpen, true);
  assert.ok(socket.fd >= 0);
  assert.equal(socket.remotePath, '');
  const busy = { code: 'EBUSY', message: /a shared-memory channel uses the socket/ };
  await assert.rejects(socket.send('x'), busy);
  await assert.rejects(socket.receive(Buffer.alloc(1)), busy);
  await assert.rejects(socket.receiveMessage(), busy);
  await assert.rejects(socket.sendMany(['x']), { ...busy, messagesSent: 0 });
  await assert.rejects(socket.wait('read'), busy);
  assert.throws(() => socket.trySend('x'), busy);
  assert.throws(() => socket.receiveMessageSync(), busy);
  assert.throws(() => socket.shutdown('both'), busy);
  assert.throws(() => socket.release(), busy);
  await assert.rejects(shareMemory(socket), busy);
  await a.send('x');
  await b.receiveMessage();
  socket.cancel();
  socket.close();
  await assert.rejects(a.send('x'), { code: 'EBADF' });
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
});

test('a closed socket can be opened and connected again', async () => {
  const { a, b } = await channelPair();
  const { socket } = a;
  a.close();
  b.close();
  socket.open();
  assert.equal(socket.isOpen, true);
  assert.equal(a.isOpen, false);
  a.close();
  assert.equal(socket.isOpen, true);
  await assert.rejects(a.send('x'), { code: 'EBADF' });
  socket.close();
});

test('a channel is disposed of, and shown by console.log', async () => {
  const ends = await channelPair();
  assert.ok(ends.a instanceof SharedChannel);
  assert.match(
    inspect(ends.a),
    /^SharedChannel \{\n {2}isOpen: true,\n {2}counters: \{[^}]*\},\n {2}socket:/,
  );
  ends.a[Symbol.dispose]();
  await ends.b[Symbol.asyncDispose]();
  assert.equal(inspect(ends.a), 'SharedChannel { isOpen: false }');
});

test('busyPoll is an option, and waits no longer than it says', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  assert.throws(() => a.setOption('busyPoll', -1), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => a.setOption('debug' as 'busyPoll', 1), { code: 'ERR_INVALID_ARG_VALUE' });
  b.setOption('busyPoll', 1000);
  const waiting = b.receiveMessage();
  await a.send('after the polling');
  assert.equal(String((await waiting).data), 'after the polling');
});
