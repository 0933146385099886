/** trySend and tryReceive: now or not at all. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';
import { receiveText, socketPair } from '../support/sockets.js';

test('trySend returns whether there was room for the message', () => {
  using ends = socketPair();
  let sent = 0;
  while (ends.a.trySend(Buffer.from([sent & 0xff]))) sent++;
  assert.ok(sent > 100);
  const buffer = Buffer.alloc(1);
  for (let i = 0; i < sent; i++) {
    assert.equal(ends.b.tryReceive(buffer), 1);
    assert.equal(buffer[0], i & 0xff);
  }
  assert.equal(ends.b.tryReceive(buffer), null);
  assert.equal(ends.a.trySend(Buffer.from('x')), true);
});

test('trySend passes descriptors', async () => {
  using ends = socketPair();
  assert.equal(ends.a.trySend(Buffer.from('x'), [0]), true);
  const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
  assert.ok(readFileSync(`/proc/self/fdinfo/${fds[0]!.fd}`).length > 0);
  fds[0]!.close();
});

test('trySend and tryReceive do not overtake waiting operations', async () => {
  using ends = socketPair();
  const received = receiveText(ends.b);
  await ends.a.send(Buffer.from('for the one that waits'));
  assert.equal(ends.b.tryReceive(Buffer.alloc(100)), null);
  assert.equal(await received, 'for the one that waits');

  while (ends.a.trySend(Buffer.alloc(64)));
  const waiting = ends.a.send(Buffer.from('waits'));
  for (;;) if (ends.b.tryReceive(Buffer.alloc(64)) === null) break;
  assert.equal(ends.a.trySend(Buffer.from('overtakes')), false);
  await waiting;
  assert.equal(await receiveText(ends.b), 'waits');
});

test('trySend and tryReceive throw the errors that send and receive reject with', () => {
  const [a, b] = SeqpacketSocket.pair();
  a.trySend(Buffer.from('long'));
  assert.throws(() => b.tryReceive(Buffer.alloc(1)), { code: 'EMSGSIZE', messageSize: 4 });
  assert.equal(b.tryReceive(Buffer.alloc(4)), 4);
  b.close();
  assert.throws(() => a.trySend(Buffer.from('x')), { code: 'EPIPE' });
  assert.throws(() => a.tryReceive(Buffer.alloc(1)), { code: 'EOF' });
  assert.throws(() => a.trySend(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => a.trySend(Buffer.from('x'), 3 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  a.close();
  assert.throws(() => a.trySend(Buffer.from('x')), { code: 'EBADF', syscall: 'sendmsg' });
  assert.throws(() => a.tryReceive(Buffer.alloc(1)), { code: 'EBADF', syscall: 'recvmsg' });
});
