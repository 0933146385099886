/** wait('read' | 'write'): ready, with nothing taken, in the order of the calls. */
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { FileDescriptor, listen, type SeqpacketSocket, SeqpacketSocket as Socket } from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from '../support/descriptors.js';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { connectedAt, fillSendQueue, receiveText, settlesSoon, socketPair } from '../support/sockets.js';

const withPython = { skip: missing('python3'), timeout: 20_000 };

test(
  'a wait for reading settles when a peer in another process sends, and takes nothing',
  withPython,
  async (t) => {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    const python = new Python(
      t,
      `
      peer = connect(args[0])
      hear()
      socket.send_fds(peer, [b'a message'], [0])
      hear()
    `,
      name,
    );
    const socket = closing(t, await python.meanwhile(acceptor.accept()));
    const ready = socket.wait('read');
    assert.equal(await settlesSoon(ready), false);
    python.tell('go on');
    assert.equal(await python.meanwhile(ready), undefined);
    const open = openDescriptors().size;
    await socket.wait('read');
    assert.equal(openDescriptors().size, open);
    assert.equal(socket.ioControl('bytesReadable'), 9);
    assert.deepEqual(socket.counters.messagesReceived, 0);
    const { data, fds } = await socket.receiveMessage({ maxFds: 1 });
    assert.equal(String(data), 'a message');
    assert.equal(fds.length, 1);
    fds[0]!.close();
    python.tell('end');
    await python.finished();
  },
);

test('a message kept after EMSGSIZE counts as readable', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  await a.send('too long');
  await assert.rejects(b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  // Also if the kernel's queue was found empty so often that a first try is left out.
  for (let i = 0; i < 10; i++) assert.equal(await settlesSoon(b.wait('read')), true);
  assert.equal(await receiveText(b), 'too long');
  const next = b.wait('read');
  assert.equal(await settlesSoon(next), false);
  b.cancel();
  await assert.rejects(next, { code: 'ECANCELED', syscall: 'poll' });
});

test('the end of file counts as readable, from the peer and from oneself', async () => {
  for (const end of [
    (a: SeqpacketSocket) => a.close(),
    (a: SeqpacketSocket) => a.shutdown('send'),
    (_: SeqpacketSocket, b: SeqpacketSocket) => b.shutdown('receive'),
  ]) {
    using ends = socketPair();
    const { a, b } = ends;
    const ready = b.wait('read');
    assert.equal(await settlesSoon(ready), false);
    end(a, b);
    await ready;
    await b.wait('read');
    await assert.rejects(receiveText(b), { code: 'EOF' });
    await b.wait('read');
  }
});

test('a reset counts as readable and writable, and stays to be reported behind the messages', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  await b.send('never read');
  await a.send('sent before');
  a.close();
  await b.wait('read');
  await b.wait('write');
  assert.equal(await receiveText(b), 'sent before');
  await b.wait('read');
  await assert.rejects(receiveText(b), { code: 'ECONNRESET' });
});

test('waits take their turns among receives', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const settled: string[] = [];
  const note = (what: string, promise: Promise<unknown>) => promise.then(() => settled.push(what));
  const all = [
    note('wait 1', b.wait('read')),
    note('receive 1', b.receiveMessage()),
    note('wait 2', b.wait('read')),
    note('wait 3', b.wait('read')),
    note('receive 2', b.receiveMessage()),
    note('wait 4', b.wait('read')),
  ];
  await a.send('one');
  while (settled.length < 2) await new Promise(setImmediate);
  assert.equal(await settlesSoon(all[2]!), false);
  assert.deepEqual(settled, ['wait 1', 'receive 1']);
  await a.send('two');
  while (settled.length < 5) await new Promise(setImmediate);
  assert.equal(await settlesSoon(all[5]!), false);
  await a.send('three');
  await Promise.all(all);
  assert.deepEqual(settled.slice(2), ['wait 2', 'wait 3', 'receive 2', 'wait 4']);
  assert.equal(await receiveText(b), 'three');
});

test('a wait for writing settles when there is room again', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  await a.wait('write');
  const sent = await fillSendQueue(a);
  const ready = a.wait('write');
  assert.equal(await settlesSoon(ready), false);
  assert.equal(a.counters.pendingSends, 1);
  for (let i = 0; i < sent; i++) await b.receive(Buffer.alloc(64));
  await ready;
  assert.equal(a.trySend('there is room'), true);
  assert.equal(a.counters.messagesSent, sent + 1);
});

test('a wait for writing does not keep a send waiting that the kernel has room for', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const sent = await fillSendQueue(a);
  await b.receive(Buffer.alloc(64));
  // To poll(2) this is not writable: most of the buffer is in use.
  assert.deepEqual(await Promise.all([a.wait('write'), a.send('one more')]), [undefined, 8]);
  for (let i = 1; i < sent; i++) await b.receive(Buffer.alloc(64));
  assert.equal(await receiveText(b), 'one more');
});

test('waits take their turns among sends', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const sent = await fillSendQueue(a);
  const settled: string[] = [];
  const note = (what: string, promise: Promise<unknown>) => promise.then(() => settled.push(what));
  const all = [note('send 1', a.send('1')), note('wait', a.wait('write')), note('send 2', a.send('2'))];
  for (let i = 0; i < sent; i++) await b.receive(Buffer.alloc(64));
  await Promise.all(all);
  assert.deepEqual(settled, ['send 1', 'wait', 'send 2']);
  assert.deepEqual([await receiveText(b), await receiveText(b)], ['1', '2']);
});

test('a wait for writing settles if a send would fail', async () => {
  for (const end of [
    (a: SeqpacketSocket) => a.shutdown('send'),
    (a: SeqpacketSocket) => a.shutdown('both'),
    (_: SeqpacketSocket, b: SeqpacketSocket) => b.close(),
  ]) {
    using ends = socketPair();
    const { a, b } = ends;
    await fillSendQueue(a);
    const ready = a.wait('write');
    assert.equal(await settlesSoon(ready), false);
    end(a, b);
    await ready;
    await a.wait('write');
    await assert.rejects(a.send('x'), { code: /^(EPIPE|ECONNRESET)$/ });
  }
});

test('a socket without a peer is ready: the operation itself fails', async () => {
  using socket = new Socket();
  socket.open();
  await socket.wait('read');
  await socket.wait('write');
  await assert.rejects(socket.send('x'), { code: 'ENOTCONN' });
});

test('a wait can be aborted and cancelled, and ends with its socket', async () => {
  using ends = socketPair();
  const { a } = ends;
  const controller = new AbortController();
  const aborted = a.wait('read', { signal: controller.signal });
  controller.abort(new Error('the reason'));
  await assert.rejects(aborted, ({ code, cause }: NodeJS.ErrnoException) => {
    return code === 'ABORT_ERR' && (cause as Error).message === 'the reason';
  });
  await assert.rejects(a.wait('read', { signal: controller.signal }), { code: 'ABORT_ERR' });
  const cancelled = a.wait('read');
  a.cancel();
  await assert.rejects(cancelled, { code: 'ECANCELED', syscall: 'poll' });
  const closed = a.wait('read');
  a.close();
  await assert.rejects(closed, { code: 'ECANCELED' });
  for (const what of ['read', 'write'] as const) {
    await assert.rejects(a.wait(what), { code: 'EBADF', syscall: 'poll' });
  }
});

test('a wait on an acceptor settles when a connection waits, and leaves it there', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  const ready = acceptor.wait('read');
  assert.equal(await settlesSoon(ready), false);
  using client = new Socket();
  await client.connect(path);
  await ready;
  await acceptor.wait('read');
  assert.equal(acceptor.counters.accepted, 0);
  const [other, server] = await connectedAt(acceptor, path);
  await client.send('first come');
  assert.equal(await receiveText(server), 'first come');
  other.close();
  server.close();
  const second = await acceptor.accept();
  second.close();
  const cancelled = acceptor.wait('read');
  acceptor.close();
  await assert.rejects(cancelled, { code: 'ECANCELED', syscall: 'poll' });
  await assert.rejects(acceptor.wait('read'), { code: 'EBADF', syscall: 'poll' });
});

test('an acceptor is never writable, which is refused', () => {
  using acceptor = listen(scratchPath());
  assert.throws(() => acceptor.wait('write'), { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' });
});

test('waits that settle at once starve no timer', async () => {
  using ends = socketPair();
  await ends.a.send('never received');
  let isOver = false;
  setTimeout(() => {
    isOver = true;
  }, 10);
  while (!isOver) await ends.b.wait('read');
});

test('descriptors that wait with a message are not installed by a wait', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const file = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = file;
  await a.sendWithFds('x', [file]);
  file.close();
  await b.wait('read');
  assert.equal(isOpenDescriptor(fd), false);
});
