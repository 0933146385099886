/** Skipped first tries and stopped polling: neither may lose a message or an event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageFlag, type SeqpacketSocket } from 'seqpacket';
import { receiveText, settlesSoon, socketPair } from '../support/sockets.js';

/** Receives a number of messages, each of which comes only once it is waited for. */
async function waitOften(a: SeqpacketSocket, b: SeqpacketSocket, times = 20): Promise<void> {
  for (let i = 0; i < times; i++) {
    const received = receiveText(b, 64);
    await a.send(Buffer.from(`waited ${i}`));
    assert.equal(await received, `waited ${i}`);
  }
}

test('a socket that skips the first try receives a queued message', async () => {
  using ends = socketPair();
  await waitOften(ends.a, ends.b);
  for (let i = 0; i < 20; i++) {
    await ends.a.send(Buffer.from(`there ${i}`));
    assert.equal(await receiveText(ends.b), `there ${i}`);
  }
});

test('a dontWait receive settles at once on a socket that skips the first try', async () => {
  using ends = socketPair();
  for (let i = 0; i < 20; i++) {
    await waitOften(ends.a, ends.b, 5);
    const flags = MessageFlag.dontWait;
    await assert.rejects(ends.b.receive(Buffer.alloc(1), { flags }), { code: 'EAGAIN' });
    await assert.rejects(ends.b.receiveWithFds(Buffer.alloc(1), 0, { flags }), { code: 'EAGAIN' });
  }
});

test('a socket that skips the first try receives a message kept after EMSGSIZE', {
  timeout: 20_000,
}, async () => {
  using ends = socketPair();
  const long = Buffer.alloc(100, 'l');
  const receives = [
    async () => assert.equal(await receiveText(ends.b, 100), String(long)),
    async () => assert.equal((await ends.b.receiveWithFds(Buffer.alloc(100), 0)).bytesRead, 100),
    async () => assert.ok((await ends.b.receiveMessage()).data.equals(long)),
    async () => assert.deepEqual(await ends.b.receiveMany(), [long]),
    async () => assert.deepEqual(await ends.b[Symbol.asyncIterator]().next(), { done: false, value: long }),
  ];
  for (const receive of receives) {
    await waitOften(ends.a, ends.b);
    const tooLong = ends.b.receive(Buffer.alloc(1));
    await ends.a.send(long);
    await assert.rejects(tooLong, { code: 'EMSGSIZE', messageSize: 100 });
    await receive();
  }
});

test('after a flood a socket receives the next message', async () => {
  using ends = socketPair();
  await waitOften(ends.a, ends.b, 1);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) ends.a.trySend(Buffer.from('flood'));
    for (let i = 0; i < 100; i++) await receiveText(ends.b, 8);
    const received = receiveText(ends.b, 8);
    assert.equal(await settlesSoon(received), false);
    ends.a.trySend(Buffer.from('next'));
    assert.equal(await received, 'next');
  }
});

test('after a flood a sender continues when there is room', async () => {
  using ends = socketPair();
  const message = Buffer.alloc(1000);
  for (let round = 0; round < 3; round++) {
    const sends = Array.from({ length: 500 }, () => ends.a.send(message));
    for (let i = 0; i < 500; i++) await ends.b.receive(message);
    await Promise.all(sends);
    for (let i = 0; i < 50; i++) await ends.a.send(message);
    for (let i = 0; i < 50; i++) await ends.b.receive(message);
  }
});

test('a message that arrives while no receive waits is received later, and so is the next', async () => {
  using ends = socketPair();
  for (let round = 0; round < 5; round++) {
    await waitOften(ends.a, ends.b, 1);
    ends.a.trySend(Buffer.from('one'));
    ends.a.trySend(Buffer.from('two'));
    // The event loop reports a message that nobody waits for.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    assert.equal(await receiveText(ends.b), 'one');
    assert.equal(await receiveText(ends.b), 'two');
    const received = receiveText(ends.b);
    assert.equal(await settlesSoon(received), false);
    ends.a.trySend(Buffer.from('three'));
    assert.equal(await received, 'three');
  }
});

test('a socket that is closed and opened again while it is reported still waits', {
  timeout: 20_000,
}, async () => {
  using ends = socketPair();
  const { a, b } = ends;
  let reopened: Promise<string> | undefined;
  using others = socketPair();
  const received = receiveText(b).then(() => {
    b.close();
    // The same object, and most likely the same number, before the report of the old one is over.
    b.assign(others.b.release());
    reopened = receiveText(b);
  });
  a.trySend(Buffer.from('old'));
  await received;
  assert.equal(await settlesSoon(reopened as Promise<string>), false);
  others.a.trySend(Buffer.from('new'));
  assert.equal(await reopened, 'new');
});
