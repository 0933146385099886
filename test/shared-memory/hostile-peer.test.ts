/** A peer that writes whatever it wants into the shared memory and to the socket does no harm but to its own channel. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { listen, MessageBatch, type SharedChannel, shareMemory } from 'seqpacket';
import { compiled } from '../support/c-programs.js';
import { allUnmapped, channelPair } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const zip = promisify(deflate);

/** More of them in .ci/run. */
const CORRUPTIONS = Number(process.env['SEQPACKET_CORRUPTIONS'] ?? 30_000);
const CAPACITY = 16_384;
const LONGEST = CAPACITY / 2 - 8;
/** The number of channels after which the memory of this process does not grow any more. */
const FIRST_CHANNELS = 200;

/** What a channel may fail with, whatever the peer does. */
const PERMITTED = new Set([
  'EPROTO',
  'EPIPE',
  'EOF',
  'ECONNRESET',
  'ECANCELED',
  'EBADF',
  'EMSGSIZE',
  'EAGAIN',
]);
PERMITTED.add('ETIMEDOUT').add('EBUSY').add('ERR_INVALID_STATE');

let seed = 12345;
function below(limit: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % limit;
}

/** Receives in all ways, until the channel has ended. */
async function receiveAnything(channel: SharedChannel): Promise<void> {
  const batch = new MessageBatch({ messages: 5, bytes: 100 });
  const buffer = Buffer.alloc(300);
  const ways = [
    async () => assert.ok((await channel.receive(buffer)) <= buffer.length),
    async () => {
      const { data, fds } = await channel.receiveMessage({ maxFds: below(3) });
      assert.ok(data.length <= LONGEST);
      for (const each of fds) each.close();
    },
    async () => {
      for (const each of await channel.receiveMany()) assert.ok(each.length <= LONGEST);
    },
    async () => {
      await channel.receiveBatch(batch);
      for (const each of batch) assert.ok(each.length <= 100);
    },
    async () => {
      using borrowed = await channel.borrow();
      assert.ok(borrowed.data.length <= LONGEST);
      if (below(2) === 0) await sleep(0);
    },
    async () => {
      // Another thread reads the memory, also if the channel ends meanwhile.
      using borrowed = await channel.borrow();
      await zip(borrowed.data);
    },
    async () => {
      for await (const each of channel) {
        assert.ok(each.length <= LONGEST);
        if (below(4) === 0) break;
      }
    },
    async () => void channel.tryReceive(buffer),
    async () => void channel.receiveMessageSync({ timeout: below(2) }),
    async () => void (await channel.receiveWithFds(buffer, 2)).fds.forEach((each) => void each.close()),
  ];
  await untilEnded(channel, ways);
}

/** Sends in all ways, until the channel has ended. */
async function sendAnything(channel: SharedChannel): Promise<void> {
  const batch = new MessageBatch({ messages: 4, bytes: 60 });
  while (batch.push('x'.repeat(below(60))));
  const data = () => Buffer.alloc(below(8) === 0 ? below(LONGEST) : below(200));
  const ways = [
    async () => void (await channel.send(data())),
    async () => void (await channel.sendMany([data(), data(), data()])),
    async () => void (await channel.sendWithFds(data(), [0, 1].slice(below(2)))),
    async () => void (await channel.sendBatch(batch)),
    async () => void channel.trySend(data()),
    async () => void channel.sendSync(data(), { timeout: below(2) }),
    async () => {
      using lease = channel.lease(below(LONGEST));
      if (below(2) === 0) await sleep(0);
      if (below(4) !== 0) lease.send();
    },
  ];
  await untilEnded(channel, ways);
}

async function untilEnded(channel: SharedChannel, ways: readonly (() => Promise<void>)[]): Promise<void> {
  while (channel.isOpen) {
    try {
      await (ways[below(ways.length)] as () => Promise<void>)();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !PERMITTED.has(code)) throw error;
      if (code === 'EOF' || code === 'EPIPE') return;
    }
    if (below(20) === 0) await sleep(0);
  }
}

test(`${CORRUPTIONS} corruptions, and an honest channel beside`, { skip: missing('cc') }, async (t) => {
  const path = scratchPath();
  const server = listen(path);
  const before = openDescriptors().size;
  const program = compiled('test/support/shared-memory/hostile.c');
  const args = [path, process.env['SEQPACKET_SEED'] ?? '1', String(CORRUPTIONS), String(CAPACITY)];
  const hostile = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: unsanitizedEnvironment(),
  });
  t.after(() => hostile.kill('SIGKILL'));
  let output = '';
  hostile.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const stopping = new AbortController();
  const ended = once(hostile, 'close').then(([code]) => {
    stopping.abort();
    return code;
  });

  using honest = await channelPair({ bytes: 4096 });
  let exchanged = 0;
  const honestly = (async () => {
    for (; !stopping.signal.aborted; exchanged++) {
      const message = Buffer.alloc(below(2000), exchanged);
      await honest.a.send(message);
      assert.deepEqual((await honest.b.receiveMessage()).data, message);
      if (exchanged % 10 === 0) await sleep(1);
    }
  })();

  const failures = new Map<string, number>();
  let channels = 0;
  let rss = 0;
  try {
    for (;;) {
      const socket = await server.accept({ signal: stopping.signal });
      const channel = await shareMemory(socket, { bytes: CAPACITY, signal: stopping.signal });
      if (++channels === FIRST_CHANNELS) rss = process.memoryUsage.rss();
      const outcomes = await Promise.allSettled([receiveAnything(channel), sendAnything(channel)]);
      for (const each of outcomes) if (each.status === 'rejected') throw each.reason;
      const code = channel.isOpen ? 'closed' : await channel.send('x').catch((error) => error.code);
      failures.set(code, (failures.get(code) ?? 0) + 1);
      channel.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ABORT_ERR') throw error;
  }
  assert.equal(await ended, 0);
  await honestly;
  server.close();
  assert.ok(Number(output) >= CORRUPTIONS);
  t.diagnostic(
    `${channels} channels, ${JSON.stringify(Object.fromEntries(failures))}, ${exchanged} honest messages`,
  );
  assert.ok((failures.get('EPROTO') ?? 0) > 0);
  assert.ok(exchanged > 0);
  // The sanitizers keep freed memory.
  if (rss > 0 && process.env['SEQPACKET_SANITIZED'] === undefined) {
    const grown = (process.memoryUsage.rss() - rss) >> 20;
    assert.ok(grown < 64, `${grown} MiB more than after ${FIRST_CHANNELS} channels`);
  }
  honest.a.close();
  honest.b.close();
  await allUnmapped();
  // The pipe of the program is closed later.
  assert.ok(openDescriptors().size <= before + 2, `${openDescriptors().size} are open, ${before} were`);
});
