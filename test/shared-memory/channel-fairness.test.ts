/** A flood of a channel starves neither timers nor other channels. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageBatch } from 'seqpacket';
import { channelPair, childWith } from '../support/channels.js';

type Ends = Awaited<ReturnType<typeof channelPair>>;

const message = Buffer.alloc(64);
const batch = new MessageBatch({ messages: 10, bytes: 64 });

/** One step of a flood, all of whose operations complete at once. */
const FLOODS: Readonly<Record<string, (ends: Ends) => Promise<unknown>>> = {
  'send and receive': async ({ a, b }) => {
    await a.send(message);
    await b.receive(message);
  },
  'receiveMessage with descriptors': async ({ a, b }) => {
    await a.sendWithFds(message, [0]);
    await b.receiveMessage();
  },
  'sendMany and receiveMany': async ({ a, b }) => {
    await a.sendMany(Array(10).fill(message));
    await b.receiveMany();
  },
  'sendBatch and receiveBatch': async ({ a, b }) => {
    batch.clear();
    batch.push(message);
    await a.sendBatch(batch);
    await b.receiveBatch(batch);
  },
  'lease and borrow': async ({ a, b }) => {
    a.lease(64).send();
    (await b.borrow()).release();
  },
  'wait for room': ({ a }) => a.wait('write'),
  'wait for a message': async ({ a, b }) => {
    a.trySend(message);
    await b.wait('read');
  },
  iteration: async ({ a, b }) => {
    a.trySend(message);
    await b[Symbol.asyncIterator]().next();
  },
  'failures of closed channels': async ({ a }) => {
    a.close();
    await a.send(message).catch(() => {});
    await a.receiveMessage().catch(() => {});
  },
  'failures of messages that are too long': ({ a }) => a.send(Buffer.alloc(2041)).catch(() => {}),
  'aborted operations': ({ b }) => b.receiveMessage({ signal: AbortSignal.abort() }).catch(() => {}),
};

for (const [what, flood] of Object.entries(FLOODS)) {
  test(`a timer fires under a flood: ${what}`, async () => {
    using ends = await channelPair({ bytes: 4096 });
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 10);
    const start = performance.now();
    while (!fired) {
      assert.ok(performance.now() - start < 5000, 'the event loop is starved');
      await flood(ends);
    }
  });
}

test('a timer fires, and another channel is served, under a flood from another process', async (t) => {
  const { child, channel } = await childWith(
    t,
    `const messages = Array(100).fill(Buffer.alloc(64));
    try { for (;;) await channel.sendMany(messages); } catch (error) { process.exit(error.code === 'EPIPE' ? 0 : 1); }`,
  );
  const exited = once(child, 'exit');
  let running = true;
  const buffer = Buffer.alloc(64);
  const flooded = (async () => {
    while (running) await channel.receive(buffer);
  })();
  using other = await channelPair();
  const echo = (async () => {
    for await (const each of other.b) await other.b.send(each);
  })();
  for (let i = 0; i < 10; i++) {
    await sleep(2);
    await other.a.send(`${i}`);
    assert.equal(String((await other.a.receiveMessage()).data), `${i}`);
  }
  running = false;
  await flooded;
  assert.ok(channel.counters.messagesReceived > 1000);
  channel.close();
  other.a.close();
  await echo;
  assert.deepEqual(await exited, [0, null]);
});
