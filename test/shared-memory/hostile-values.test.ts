/** Impossible values of the peer, one by one: each ends the channel with EPROTO, before it can have another effect. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedChannel } from 'seqpacket';
import { fillRing } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import {
  CAPACITY,
  channelAndPeer,
  HEAD,
  HEADER,
  type RawPeer,
  TAIL,
  writeRecord,
} from '../support/raw-peer.js';

/** All operations of the channel fail for this reason, and the socket is closed. */
async function hasEnded(channel: SharedChannel, message: RegExp): Promise<void> {
  const error = { code: 'EPROTO', message };
  await assert.rejects(channel.receiveMessage(), error);
  await assert.rejects(channel.send('x'), error);
  await assert.rejects(channel.borrow(), error);
  assert.throws(() => channel.trySend('x'), error);
  assert.throws(() => channel.lease(1), error);
  assert.throws(() => channel.receiveMessageSync({ timeout: 0 }), error);
  assert.equal(channel.isOpen, false);
  channel.close();
}

const ofTail = /the peer has written up to byte \d+, which is impossible/;
const ofRecord = /the record at byte \d+ of the peer's ring is not valid/;

const WRONG: Readonly<Record<string, [(peer: RawPeer) => void, RegExp]>> = {
  'a tail beyond the capacity': [({ outgoing }) => Atomics.store(outgoing, TAIL, CAPACITY + 8), ofTail],
  'a tail that is no multiple of 8': [(peer) => writeRecord(peer, 0, 4, 1, 12), ofTail],
  'a tail behind': [({ outgoing }) => Atomics.store(outgoing, TAIL, -8), ofTail],
  'kind 0': [(peer) => writeRecord(peer, 0, 8, 0, 16), ofRecord],
  'kind 4': [(peer) => writeRecord(peer, 0, 8, 4, 16), ofRecord],
  'a length beyond the tail': [(peer) => writeRecord(peer, 0, 9, 1, 16), ofRecord],
  'a length beyond half of the ring': [
    (peer) => writeRecord(peer, 0, CAPACITY / 2 - 7, 1, CAPACITY),
    ofRecord,
  ],
  'a length of 4 GiB, less 1 byte': [(peer) => writeRecord(peer, 0, -1, 1, CAPACITY), ofRecord],
  'padding at the start': [(peer) => writeRecord(peer, 0, CAPACITY - 8, 3, CAPACITY), ofRecord],
};

for (const [what, [lie, message]] of Object.entries(WRONG)) {
  test(`a receive that waits finds ${what}`, async () => {
    using ends = await channelAndPeer();
    const waiting = ends.channel.receiveMessage();
    lie(ends.peer);
    await ends.socket.send(Uint8Array.of(1));
    await assert.rejects(waiting, { code: 'EPROTO', message });
    await hasEnded(ends.channel, message);
  });
}

test('records that continue at the start of the ring, and padding that is too short', async () => {
  for (const [kind, length] of [
    [1, 100],
    [3, 48],
    [3, 64],
  ] as const) {
    using ends = await channelAndPeer();
    const { channel, peer } = ends;
    writeRecord(peer, 0, 2024, 1, 2032);
    await channel.receiveMessage();
    writeRecord(peer, 2032, 2000, 1, 4040);
    await channel.receiveMessage();
    // 56 bytes are left: their padding has 48, of which only the first is valid, and a record must follow.
    writeRecord(peer, 4040, length, kind, 4096);
    if (kind === 3 && length === 48) {
      const waiting = channel.receiveMessage();
      writeRecord(peer, 0, 3, 1, 4096 + 16);
      await ends.socket.send(Uint8Array.of(1));
      assert.equal((await waiting).data.length, 3);
    } else {
      await assert.rejects(channel.receiveMessage(), { code: 'EPROTO', message: ofRecord });
    }
  }
});

test('a head that is impossible', async () => {
  for (const head of [CAPACITY + 8, -8, 4, 0x7fff_fff8, -0x8000_0000]) {
    using ends = await channelAndPeer();
    const { channel, peer } = ends;
    const sent = fillRing(channel, 100);
    assert.ok(sent > 30);
    const waiting = channel.send(Buffer.alloc(100));
    Atomics.store(peer.incoming, HEAD, head);
    await ends.socket.send(Uint8Array.of(1));
    const message = /the peer has read up to byte \d+, which is impossible/;
    await assert.rejects(waiting, { code: 'EPROTO', message });
    await hasEnded(channel, message);
  }
});

const OF_SOCKET: Readonly<Record<string, [Buffer, number, RegExp]>> = {
  'an unknown message': [Buffer.of(4), 0, /does not belong to a shared-memory channel/],
  'a long message': [Buffer.alloc(17, 1), 0, /does not belong/],
  'a wake-up with a descriptor': [Buffer.of(1), 1, /does not belong/],
  'a second hand-shake': [Buffer.from('SQPKTSHM\x01\0\0\0\0\x10\0\0'), 1, /does not belong/],
  'descriptors without descriptors': [Buffer.of(2), 0, /without any/],
};

for (const [what, [message, count, error]] of Object.entries(OF_SOCKET)) {
  test(`on the socket: ${what}`, async () => {
    using ends = await channelAndPeer();
    const before = openDescriptors().size;
    const waiting = ends.channel.receiveMessage();
    await ends.socket.sendWithFds(message, Array(count).fill(0));
    await assert.rejects(waiting, { code: 'EPROTO', message: error });
    await hasEnded(ends.channel, error);
    assert.equal(openDescriptors().size, before - 1);
  });
}

test('more than 253 descriptors in advance, and a message with descriptors without them', async () => {
  {
    using ends = await channelAndPeer();
    const before = openDescriptors().size;
    const waiting = ends.channel.receiveMessage();
    for (let i = 0; i < 2; i++) await ends.socket.sendWithFds(Uint8Array.of(2), Array(127).fill(0));
    await assert.rejects(waiting, { code: 'EPROTO', message: /more than 253 descriptors in advance/ });
    await hasEnded(ends.channel, /more than 253/);
    assert.equal(openDescriptors().size, before - 1);
  }
  using ends = await channelAndPeer();
  writeRecord(ends.peer, 0, 8, 2, 16);
  await assert.rejects(ends.channel.receiveMessage(), { code: 'EPROTO', message: /but not the descriptors/ });
});

test('messages before a wrong record are delivered', async () => {
  using ends = await channelAndPeer();
  const { channel, peer } = ends;
  writeRecord(peer, 0, 8, 1, 0);
  writeRecord(peer, 16, 8, 1, 0);
  writeRecord(peer, 32, 8, 9, 48);
  assert.equal((await channel.receiveMany()).length, 2);
  await assert.rejects(channel.receiveMany(), { code: 'EPROTO', message: ofRecord });
});

test('a length that changes after it was checked is not read again', async () => {
  using ends = await channelAndPeer();
  const { channel, peer } = ends;
  writeRecord(peer, 0, 8, 1, 16);
  await channel.wait('read');
  peer.outgoing[HEADER / 4] = 0x7fff_fff0;
  const outcome = await channel.receiveMessage().then(
    ({ data }) => data.length,
    ({ code }) => code,
  );
  assert.ok(outcome === 'EPROTO' || outcome === 8);
});
