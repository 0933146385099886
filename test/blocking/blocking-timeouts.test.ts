/** Timeouts of blocking calls: ETIMEDOUT, with nothing taken and nothing sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectSync, listen, type SeqpacketSocket } from 'seqpacket';
import { abstractName, closing } from '../support/peers.js';
import { socketPair } from '../support/sockets.js';

/** How long a call takes, in milliseconds, until it fails with ETIMEDOUT. */
function timeUntilTimeout(call: () => unknown, expected: Record<string, unknown>): number {
  const start = performance.now();
  assert.throws(call, { code: 'ETIMEDOUT', ...expected });
  return performance.now() - start;
}

const receives: Record<string, (socket: SeqpacketSocket, timeout: number) => unknown> = {
  receiveSync: (socket, timeout) => socket.receiveSync(Buffer.alloc(1), { timeout }),
  receiveMessageSync: (socket, timeout) => socket.receiveMessageSync({ timeout }),
  receiveManySync: (socket, timeout) => socket.receiveManySync({ timeout }),
};

for (const [name, receive] of Object.entries(receives)) {
  test(`${name} fails after its timeout, and takes no message`, () => {
    using ends = socketPair();
    for (const timeout of [0, 1, 30, 120]) {
      const took = timeUntilTimeout(() => receive(ends.b, timeout), { syscall: 'recvmsg' });
      assert.ok(took >= timeout, `${took} of ${timeout} ms`);
    }
    ends.a.sendSync('x');
    assert.equal(ends.b.receiveSync(Buffer.alloc(1), { timeout: 0 }), 1);
  });
}

const sends: Record<string, (socket: SeqpacketSocket, timeout: number) => unknown> = {
  sendSync: (socket, timeout) => socket.sendSync('late', { timeout }),
  'sendSync with descriptors': (socket, timeout) => socket.sendSync('late', { timeout, fds: [0] }),
  sendManySync: (socket, timeout) => socket.sendManySync(['late', 'later'], { timeout }),
};

for (const [name, send] of Object.entries(sends)) {
  test(`${name} fails after its timeout, and sends nothing`, () => {
    using ends = socketPair();
    let sent = 0;
    while (ends.a.trySend('early')) sent++;
    const expected = { syscall: 'sendmsg', ...(name === 'sendManySync' ? { messagesSent: 0 } : {}) };
    for (const timeout of [0, 1, 30, 120]) {
      const took = timeUntilTimeout(() => send(ends.a, timeout), expected);
      assert.ok(took >= timeout, `${took} of ${timeout} ms`);
    }
    for (; sent > 0; sent--) assert.equal(String(ends.b.receiveMessageSync().data), 'early');
    assert.equal(ends.b.tryReceive(Buffer.alloc(10)), null);
    send(ends.a, 0);
    assert.equal(String(ends.b.receiveMessageSync({ timeout: 0 }).data), 'late');
  });
}

test('messagesSent is the number of messages that were sent before the timeout', () => {
  using ends = socketPair();
  const messages = Array.from({ length: 1000 }, (_, i) => String(i));
  for (const timeout of [0, 20]) {
    let messagesSent = 0;
    assert.throws(
      () => ends.a.sendManySync(messages, { timeout }),
      (error: Error & { code: string; messagesSent: number }) => {
        messagesSent = error.messagesSent;
        return error.code === 'ETIMEDOUT' && messagesSent > 64 && messagesSent < 1000;
      },
    );
    for (let i = 0; i < messagesSent; i++) assert.equal(String(ends.b.receiveMessageSync().data), String(i));
    assert.equal(ends.b.tryReceive(Buffer.alloc(10)), null);
  }
});

test('accepting and connecting fail after their timeouts, with the address', (t) => {
  const address = abstractName();
  const acceptor = closing(t, listen(address, { backlog: 0 }));
  for (const timeout of [0, 1, 70]) {
    const took = timeUntilTimeout(() => acceptor.acceptSync({ timeout }), { syscall: 'accept4', address });
    assert.ok(took >= timeout, `${took} of ${timeout} ms`);
  }
  closing(t, connectSync(address));
  for (const timeout of [0, 1, 70]) {
    const took = timeUntilTimeout(() => connectSync(address, { timeout }), { syscall: 'connect', address });
    assert.ok(took >= timeout, `${took} of ${timeout} ms`);
  }
  acceptor.acceptSync({ timeout: 0 }).close();
  assert.throws(() => acceptor.acceptSync({ timeout: 0 }), { code: 'ETIMEDOUT' });
  connectSync(address, { timeout: 0 }).close();
});

test('invalid timeouts are refused before anything happens', (t) => {
  using ends = socketPair();
  const address = abstractName();
  const acceptor = closing(t, listen(address));
  const calls: ((timeout: never) => unknown)[] = [
    (timeout) => ends.a.sendSync('x', { timeout }),
    (timeout) => ends.a.sendManySync(['x'], { timeout }),
    (timeout) => ends.b.receiveSync(Buffer.alloc(1), { timeout }),
    (timeout) => ends.b.receiveMessageSync({ timeout }),
    (timeout) => ends.b.receiveManySync({ timeout }),
    (timeout) => acceptor.acceptSync({ timeout }),
    (timeout) => connectSync(address, { timeout }),
  ];
  for (const call of calls) {
    for (const timeout of ['1', null, true, 1n, {}]) {
      assert.throws(() => call(timeout as never), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' });
    }
    for (const timeout of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      assert.throws(() => call(timeout as never), { code: 'ERR_OUT_OF_RANGE', name: 'RangeError' });
    }
  }
  const options = (value: unknown) => value as { timeout: number };
  assert.throws(() => ends.b.receiveSync(Buffer.alloc(1), options(5)), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => acceptor.acceptSync(options(null)), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.equal(ends.a.counters.messagesSent, 0);
  assert.throws(() => acceptor.acceptSync({ timeout: 0 }), { code: 'ETIMEDOUT' }, 'nothing has connected');
});

test('other arguments are checked, too', () => {
  using ends = socketPair();
  assert.throws(() => ends.a.sendSync(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.a.sendSync('x', { fds: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.a.sendSync('x', { fds: Array(254).fill(0) }), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => ends.a.sendSync('x', { flags: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => ends.a.sendManySync('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.b.receiveSync('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => ends.b.receiveMessageSync({ maxFds: 254 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => ends.b.receiveManySync({ max: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.equal(ends.a.counters.messagesSent, 0);
});
