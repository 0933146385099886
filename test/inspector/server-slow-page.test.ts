/** A page that does not read holds back no message, and takes no memory. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { residentKilobytes } from '../support/command.js';
import { inspected } from '../support/inspector.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';

/** 100,000 in .ci/run. */
const MESSAGES = Number(process.env['SEQPACKET_INSPECTOR_MESSAGES'] ?? 7_000);
/** Together they are longer than the history. */
const DATA = Buffer.alloc(Math.floor(100e6 / MESSAGES), 'x');
/** 64 MiB of history, the heap, and one piece for each page that does not read. */
const MOST_KB = 256 * 1024;
const PAGES = 5;

/** How long it takes until all messages have arrived, in seconds. */
async function flood(client: SeqpacketSocket, server: SeqpacketSocket): Promise<number> {
  const start = performance.now();
  const sending = (async () => {
    for (let index = 0; index < MESSAGES; index++) {
      if (!client.trySend(DATA)) await client.send(DATA);
    }
  })();
  for (let index = 0; index < MESSAGES; index++) await server.receiveMessage();
  await sending;
  return (performance.now() - start) / 1000;
}

async function ends(t: TestContext) {
  const path = scratchPath();
  const between = scratchPath('between');
  const acceptor = closing(t, listen(path));
  const { trace, page } = await inspected(t, between, path, '--quiet');
  const client = closing(t, await connect(between));
  const server = closing(t, await acceptor.accept());
  return { trace, page, client, server };
}

describe('pages that do not read', { timeout: 240_000 }, () => {
  it('hold back no message, take no memory, and are told how many they have missed', async (t) => {
    const { trace, page, client, server } = await ends(t);
    const without = await flood(client, server);

    const streams = [];
    for (let index = 0; index < PAGES; index++) {
      const stream = await page.frames(t);
      stream.keepMessages = false;
      streams.push(stream);
      await stream.all('connection', 1);
      stream.message.pause();
    }
    const slow = await flood(client, server);
    const kilobytes = residentKilobytes(trace.process.pid as number);
    t.diagnostic(
      `${without.toFixed(2)} s, with ${PAGES} stopped pages ${slow.toFixed(2)} s, ${kilobytes} KB`,
    );
    if (process.env['SEQPACKET_SANITIZED'] === undefined) assert.ok(kilobytes < MOST_KB, `${kilobytes} KB`);

    for (const stream of streams) {
      stream.message.resume();
      await stream.until(() => stream.messages + stream.leftOut >= 2 * MESSAGES);
      assert.equal(stream.messages + stream.leftOut, 2 * MESSAGES);
      assert.ok(stream.leftOut > MESSAGES / 4, `${stream.leftOut} were left out`);
    }
    // They go on as before.
    await client.send(Buffer.from('the next one'));
    for (const stream of streams) await stream.until(() => stream.messages + stream.leftOut > 2 * MESSAGES);
    assert.equal(streams[0]?.messages, 2 * MESSAGES + 1 - (streams[0]?.leftOut ?? 0));
  });

  it('a page that reads gets every message', async (t) => {
    const { page, client, server } = await ends(t);
    const stream = await page.frames(t);
    stream.keepMessages = false;
    const seconds = await flood(client, server);
    await stream.until(() => stream.messages + stream.leftOut >= MESSAGES);
    t.diagnostic(`${seconds.toFixed(2)} s, ${stream.leftOut} left out`);
    assert.equal(stream.messages + stream.leftOut, MESSAGES);
  });
});
