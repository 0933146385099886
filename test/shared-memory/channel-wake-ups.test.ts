/** No wake-up is lost: an operation that waits goes on, although another call has received its wake-up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedChannel } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';

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
