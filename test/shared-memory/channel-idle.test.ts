/** A channel on which nothing happens uses no CPU, whether operations wait on it or not. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SharedChannel } from 'seqpacket';
import { channelPair, fillRing } from '../support/channels.js';

const channels: SharedChannel[] = [];
after(() => {
  for (const channel of channels) channel.close();
});

async function newPair(): Promise<{ a: SharedChannel; b: SharedChannel }> {
  const { a, b } = await channelPair({ bytes: 4096 });
  channels.push(a, b);
  return { a, b };
}

function ignore(waiting: Promise<unknown>): void {
  waiting.catch(() => {});
}

test('channels use no CPU while nothing happens', async () => {
  for (let i = 0; i < 20; i++) {
    // Nothing waits, and a message is there.
    const { a } = await newPair();
    a.trySend('x', [0]);
  }
  for (let i = 0; i < 20; i++) {
    const { a, b } = await newPair();
    ignore(b.receiveMessage());
    fillRing(a);
    ignore(a.send(Buffer.alloc(100)));
    ignore(a.borrow());
  }
  for (let i = 0; i < 5; i++) {
    // The socket has no room for descriptors.
    const { a } = await newPair();
    a.socket.setOption('sendBufferSize', 1);
    while (a.trySend('x', [0]));
    ignore(a.sendWithFds('x', [0]));
  }
  for (let i = 0; i < 5; i++) {
    // The wait for room in the socket was aborted, and a receive waits.
    const { a } = await newPair();
    a.socket.setOption('sendBufferSize', 1);
    while (a.trySend('x', [0]));
    ignore(a.receiveMessage());
    const controller = new AbortController();
    ignore(a.sendWithFds('x', [0], { signal: controller.signal }));
    await sleep(1);
    controller.abort();
  }
  for (let i = 0; i < 5; i++) {
    // Too many descriptors would be on their way.
    const { a } = await newPair();
    a.trySend('x', Array(253).fill(0));
    ignore(a.sendWithFds('x', [0]));
  }
  for (let i = 0; i < 5; i++) {
    // The memory is lent, and a send waits behind it.
    const { a } = await newPair();
    a.lease(10);
    ignore(a.send('x'));
  }
  for (let i = 0; i < 5; i++) {
    // The peer has ended its direction, or is gone, and a message is not received.
    const { a, b } = await newPair();
    a.trySend('x');
    a.shutdown('send');
    ignore(a.receiveMessage());
    const { a: c, b: d } = await newPair();
    c.trySend('x');
    c.close();
    await d.wait('read');
    await b.wait('read');
  }
  await sleep(50);
  const MS = 2000;
  const before = process.cpuUsage();
  await sleep(MS);
  const { user, system } = process.cpuUsage(before);
  const load = (user + system) / (1000 * MS);
  assert.ok(load < 0.1, `${100 * load} % of a CPU`);
});
