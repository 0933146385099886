/**
 * Many messages of mixed sizes through one channel, sent and received in every way: none is lost, cut, doubled or
 * reordered, and the memory of both processes stays the same.
 *
 *   SEQPACKET_CHANNEL_MESSAGES=100000000   how many; 100,000 by default
 *   SEQPACKET_SEED=N                       the same messages again
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listen, MessageBatch, type SharedChannel, shareMemory } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { LONGEST, MixedMessages, RandomNumbers } from '../support/shared-memory/flood.js';
import { growth } from '../support/shared-memory/flood-memory.js';

const MESSAGES = Number(process.env['SEQPACKET_CHANNEL_MESSAGES'] ?? 100_000);
const SEED = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
const SENDER = fileURLToPath(new URL('../support/shared-memory/flood-sender.js', import.meta.url));
const MOST_GROWTH = 32 * 2 ** 20;

const batch = new MessageBatch({ messages: 64, bytes: 2048 });
const buffer = Buffer.alloc(LONGEST);

/** Receives some messages. */
const WAYS: readonly ((channel: SharedChannel, check: (data: Buffer) => void) => Promise<unknown>)[] = [
  async (channel, check) => {
    for (let i = 0; i < 16; i++) check(buffer.subarray(0, await channel.receive(buffer)));
  },
  async (channel, check) => {
    for (let i = 0; i < 16; i++) {
      const length = channel.tryReceive(buffer) ?? (await channel.receive(buffer));
      check(buffer.subarray(0, length));
    }
  },
  async (channel, check) => {
    for (let i = 0; i < 16; i++) check((await channel.receiveMessage()).data);
  },
  async (channel, check) => {
    for (const data of await channel.receiveMany()) check(data);
  },
  async (channel, check) => {
    try {
      await channel.receiveBatch(batch);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMSGSIZE') throw error;
      check((await channel.receiveMessage()).data);
      return;
    }
    for (const data of batch) check(data);
  },
  async (channel, check) => {
    for (let i = 0; i < 16; i++) {
      using borrowed = await channel.borrow();
      check(borrowed.data);
    }
  },
  async (channel, check) => {
    let left = 16;
    for await (const data of channel) {
      check(data);
      if (--left === 0) break;
    }
    if (left > 0) throw Object.assign(new Error('the end of file'), { code: 'EOF' });
  },
];

async function receiveAll(channel: SharedChannel, check: (data: Buffer) => void): Promise<void> {
  const ways = new RandomNumbers(SEED + 2);
  try {
    for (;;) await WAYS[ways.next() % WAYS.length]!(channel, check);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EOF') throw error;
  }
}

test(`${MESSAGES.toLocaleString('en')} messages of mixed sizes arrive whole and in order`, async (t) => {
  t.diagnostic(`SEQPACKET_SEED=${SEED}`);
  const path = scratchPath();
  using server = listen(path);
  const bytes = 1 << 20;
  const child = fork(SENDER, [path, SEED, MESSAGES, bytes].map(String));
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const report = once(child, 'message');
  using channel = await shareMemory(await server.accept(), { bytes });
  const mixed = new MixedMessages(SEED);
  const grown = growth(MESSAGES);
  await receiveAll(channel, (data) => {
    mixed.check(data);
    grown.sample(mixed.number + 1);
  });
  assert.equal(mixed.number + 1, MESSAGES);
  assert.equal(channel.counters.messagesReceived, MESSAGES);
  const [theirs] = await report;
  t.diagnostic(`memory has grown by ${grown.bytes} bytes, that of the sender by ${theirs} bytes`);
  if (process.env['SEQPACKET_SANITIZED'] === undefined) {
    assert.ok(grown.bytes < MOST_GROWTH && theirs < MOST_GROWTH);
  }
  assert.deepEqual(await ended, [0, null]);
});
