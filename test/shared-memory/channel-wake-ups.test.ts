/** No wake-up is lost: an operation that waits goes on, although another call has received its wake-up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair, type SharedChannel, shareMemory } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';
import { HEAD, PRODUCER_SLEEPS, rawPeer } from '../support/raw-peer.js';

/** Longer than the room that `fillRing` leaves. */
const LONG = Buffer.alloc(100);

/** Receives all messages without waiting. */
function drain(channel: SharedChannel): void {
  const buffer = Buffer.alloc(2048);
  while (channel.tryReceive(buffer) !== null);
}

/** Calls that receive messages of the socket, and do not complete, because the ring is full in their direction. */
const SENDS: Readonly<Record<string, (channel: SharedChannel) => void>> = {
  trySend: (channel) => assert.equal(channel.trySend(LONG), false),
  'sendSync with timeout 0': (channel) => {
    assert.throws(() => channel.sendSync(LONG, { timeout: 0 }), { code: 'ETIMEDOUT' });
  },
  'sendSync that sleeps': (channel) => {
    assert.throws(() => channel.sendSync(LONG, { timeout: 5 }), { code: 'ETIMEDOUT' });
  },
};

for (const [what, call] of Object.entries(SENDS)) {
  test(`a receive that waits gets its message after ${what}`, { timeout: 10_000 }, async () => {
    using ends = await channelPair({ bytes: 4096 });
    const { a, b } = ends;
    fillRing(b, 56);
    for (let round = 0; round < 20; round++) {
      const waiting = b.receiveMessage();
      assert.ok(a.trySend(`${round}`));
      call(b);
      assert.equal(String((await waiting).data), `${round}`);
    }
  });

  test(`a receive that waits gets the end of file after ${what}`, { timeout: 10_000 }, async () => {
    using ends = await channelPair({ bytes: 4096 });
    const { a, b } = ends;
    fillRing(b, 56);
    const waiting = assert.rejects(b.receiveMessage(), { code: 'EOF' });
    a.shutdown('send');
    call(b);
    await waiting;
  });
}

const RECEIVES: Readonly<Record<string, (channel: SharedChannel) => void>> = {
  tryReceive: (channel) => assert.equal(channel.tryReceive(LONG), null),
  'receiveMessageSync with timeout 0': (channel) => {
    assert.throws(() => channel.receiveMessageSync({ timeout: 0 }), { code: 'ETIMEDOUT' });
  },
  'receiveMessageSync that sleeps': (channel) => {
    assert.throws(() => channel.receiveMessageSync({ timeout: 5 }), { code: 'ETIMEDOUT' });
  },
};

for (const [what, call] of Object.entries(RECEIVES)) {
  test(`a send that waits goes on after ${what}`, { timeout: 10_000 }, async () => {
    using ends = await channelPair({ bytes: 4096 });
    const { a, b } = ends;
    for (let round = 0; round < 20; round++) {
      fillRing(a);
      const waiting = a.send(LONG);
      drain(b);
      call(a);
      assert.equal(await waiting, 100);
      drain(b);
    }
  });
}

test('a send that waits goes on after descriptors were received', { timeout: 10_000 }, async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  for (let round = 0; round < 20; round++) {
    fillRing(a);
    const waiting = a.send(LONG);
    drain(b);
    assert.ok(b.trySend('x', [0]));
    const { fds } = await a.receiveMessage({ maxFds: 1 });
    assert.equal(fds.length, 1);
    for (const fd of fds) fd.close();
    assert.equal(await waiting, 100);
    drain(b);
  }
});

test('a short message does not wait for as much room as the long ones before it', {
  timeout: 10_000,
}, async () => {
  using ends = await channelPair({ bytes: 4096 });
  const { a, b } = ends;
  const eighth = Buffer.alloc(504);
  const short: (() => Promise<unknown>)[] = [
    () => a.send('short'),
    () => a.sendWithFds('short', [0]),
    () => a.sendMany(['short']),
    () => a.wait('write', { bytes: 5 }),
  ];
  for (const send of short) {
    // After several sends that wait, the next ones are expected to wait, too.
    for (let round = 0; round < 8; round++) {
      while (a.trySend(eighth));
      const long = a.send(Buffer.alloc(1528));
      await new Promise(setImmediate);
      drain(b);
      await long;
      drain(b);
    }
    for (let i = 0; i < 8; i++) assert.ok(a.trySend(eighth));
    await b.receiveMessage();
    await send();
    drain(b);
  }
});

test('a send does not wait for the descriptors of an aborted one', { timeout: 10_000 }, async (t) => {
  const [left, right] = pair();
  const [channel, peer] = await Promise.all([shareMemory(left, { bytes: 4096 }), rawPeer(right)]);
  await channel.send(Buffer.alloc(504));
  await channel.sendWithFds('all', Array(253).fill(0));
  const controller = new AbortController();
  const aborted = channel.sendWithFds('one more', [0], { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { code: 'ABORT_ERR' });
  fillRing(channel);
  // The peer reads the first message between the try of the send and the moment when it announces its sleep.
  const { store } = Atomics;
  t.mock.method(Atomics, 'store', (words: Int32Array, index: number, value: number) => {
    if (index === PRODUCER_SLEEPS && value === 1) store(peer.incoming, HEAD, 512);
    return store(words, index, value);
  });
  assert.equal(await channel.send(LONG), 100);
  channel.close();
  right.close();
});
