/** Channels in worker threads: many at the same time, and threads that are terminated with channels in use. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SeqpacketSocket, type SharedChannel, shareMemory } from 'seqpacket';
import { allUnmapped } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';

/** Sockets and regions that this process has open. */
function ours(): string[] {
  return [...openDescriptors().values()].filter((what) => /^socket:|memfd:seqpacket/.test(what)).sort();
}

/** Starts a thread with several channels, whose other ends are returned. */
async function threadWith(
  count: number,
  script: string,
): Promise<{ worker: Worker; channels: SharedChannel[] }> {
  const pairs = Array.from({ length: count }, () => SeqpacketSocket.pair());
  const prelude = `
    const { FileDescriptor, SeqpacketSocket, shareMemory } = require('seqpacket');
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const sockets = workerData.map((fd) => new SeqpacketSocket(FileDescriptor.adopt(fd)));
      const channels = await Promise.all(sockets.map((socket) => shareMemory(socket, { bytes: 4096 })));
      ${script}
    })();`;
  const workerData = pairs.map(([, there]) => there.release().detach());
  const worker = new Worker(prelude, { eval: true, workerData });
  const channels = await Promise.all(pairs.map(([here]) => shareMemory(here, { bytes: 4096 })));
  return { worker, channels };
}

test('many channels in several threads, with messages in both directions', async () => {
  const before = ours();
  const THREADS = 3;
  const CHANNELS = 6;
  const MESSAGES = 80;
  const echo = `await Promise.all(channels.map(async (channel) => {
    for await (const { data, fds } of channel.messages({ maxFds: 1 })) {
      await channel.sendWithFds(data, fds);
      for (const fd of fds) fd.close();
    }
    channel.close();
  }));`;
  const threads = await Promise.all(Array.from({ length: THREADS }, () => threadWith(CHANNELS, echo)));
  const exits = threads.map(({ worker }) => once(worker, 'exit'));
  await Promise.all(
    threads.flatMap(({ channels }, thread) =>
      channels.map(async (channel, number) => {
        const text = (i: number) => `${thread} ${number} ${i} `.padEnd((i * 37) % 1500, '.');
        const sending = (async () => {
          for (let i = 0; i < MESSAGES; i++) {
            await (i % 20 === 0 ? channel.sendWithFds(text(i), [0]) : channel.send(text(i)));
          }
          channel.shutdown('send');
        })();
        for (let i = 0; i < MESSAGES; i++) {
          const { data, fds } = await channel.receiveMessage({ maxFds: 1 });
          assert.equal(String(data), text(i));
          assert.equal(fds.length, i % 20 === 0 ? 1 : 0);
          for (const fd of fds) fd.close();
        }
        await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
        await sending;
        channel.close();
      }),
    ),
  );
  for (const [code] of await Promise.all(exits)) assert.equal(code, 0);
  assert.deepEqual(ours(), before);
  await allUnmapped();
});

/** What the thread does with its channels when it is terminated. */
const USES: Readonly<Record<string, string>> = {
  'operations that wait': `
    for (const channel of channels) {
      channel.receiveMessage().catch(() => {});
      while (channel.trySend(Buffer.alloc(64)));
      channel.send(Buffer.alloc(100)).catch(() => {});
    }`,
  'descriptors that were not received': `
    for (const channel of channels) {
      await channel.receiveMessage();
      await channel.wait('read');
    }`,
  'memory that is lent': `
    globalThis.lent = [];
    for (const channel of channels) {
      globalThis.lent.push(channel.lease(100), await channel.borrow(), await channel.borrow());
    }`,
  'messages on their way': `
    const messages = Array.from({ length: 100 }, (_, i) => Buffer.alloc(i));
    for (const channel of channels) {
      (async () => { for (;;) await channel.sendMany(messages); })();
      (async () => { for await (const _ of channel); })();
    }`,
};

for (const [what, script] of Object.entries(USES)) {
  test(`a thread is terminated with ${what}`, { timeout: 30_000 }, async () => {
    const before = ours();
    const { worker, channels } = await threadWith(5, `${script}\nparentPort.postMessage('ready');`);
    for (const channel of channels) {
      channel.trySend('1', [0]);
      channel.trySend('2', [0, 1, 2]);
      channel.trySend('3');
    }
    await once(worker, 'message');
    await sleep(5 * Math.random());
    await worker.terminate();
    for (const channel of channels) {
      const messages = (async () => {
        for (;;) await channel.receiveMany();
      })();
      await assert.rejects(messages, ({ code }) => code === 'EOF' || code === 'ECONNRESET');
      await assert.rejects(channel.send('x'), { code: 'EPIPE' });
      channel.close();
    }
    for (let i = 0; i < 100 && ours().length > before.length; i++) await sleep(10);
    assert.deepEqual(ours(), before);
    await allUnmapped();
  });
}
