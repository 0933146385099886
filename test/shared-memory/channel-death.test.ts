/** A process at the other end that is killed: all that waits ends, and what was sent before is delivered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { SharedChannel } from 'seqpacket';
import { childWith, fillRing } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';

const SLEEPS = 'setInterval(() => {}, 1e6);';
const DIES = "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 30);";

/** A channel whose other end reports that it is ready, and then is killed by `kill`. */
async function mortal(t: TestContext, script: string) {
  const { child, channel } = await childWith(t, `await channel.send('ready'); ${script}`, { bytes: 4096 });
  const reports = once(child, 'message');
  assert.equal(String((await channel.receiveMessage()).data), 'ready');
  const kill = async () => {
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  };
  return { channel, kill, reports };
}

function codes(promises: readonly Promise<unknown>[]): Promise<string[]> {
  return Promise.all(
    promises.map((each) =>
      each.then(
        () => 'done',
        ({ code }) => code,
      ),
    ),
  );
}

test('all operations that wait end when the peer is killed', { timeout: 20_000 }, async (t) => {
  const { channel, kill } = await mortal(t, SLEEPS);
  fillRing(channel);
  const message = Buffer.alloc(100);
  const sends = codes([
    channel.wait('write', { bytes: 100 }),
    channel.send(message),
    channel.sendWithFds(message, [0]),
    channel.sendMany([message, message]),
  ]);
  const receives = codes([
    channel.wait('read'),
    channel.receiveMessage(),
    channel.receive(message),
    channel.borrow(),
    channel.receiveMany(),
    channel[Symbol.asyncIterator]().next(),
  ]);
  await kill();
  assert.deepEqual(await sends, ['done', 'EPIPE', 'EPIPE', 'EPIPE']);
  assert.deepEqual(await receives, ['done', 'ECONNRESET', 'EOF', 'EOF', 'EOF', 'done']);
});

test('sends that wait because of descriptors end when the peer is killed', { timeout: 20_000 }, async (t) => {
  const before = openDescriptors().size;
  {
    const { channel, kill } = await mortal(t, SLEEPS);
    await channel.sendWithFds('all', Array(253).fill(0));
    const waiting = codes([channel.sendWithFds('more', [0, 1]), channel.send('behind')]);
    await kill();
    assert.deepEqual(await waiting, ['EPIPE', 'EPIPE']);
    channel.close();
  }
  {
    const { channel, kill } = await mortal(t, SLEEPS);
    channel.socket.setOption('sendBufferSize', 1);
    while (channel.trySend('x', [0]));
    const waiting = codes([channel.sendWithFds('more', [0, 1]), channel.send('behind')]);
    await kill();
    assert.deepEqual(await waiting, ['EPIPE', 'EPIPE']);
    channel.close();
  }
  assert.ok(openDescriptors().size <= before);
});

/** Blocking calls that wait until the peer dies, and the codes of their errors. */
const BLOCKED: Readonly<Record<string, [(channel: SharedChannel) => unknown, string]>> = {
  receiveMessageSync: [(channel) => channel.receiveMessageSync(), 'EOF'],
  sendSync: [
    (channel) => {
      for (;;) channel.sendSync(Buffer.alloc(100));
    },
    'EPIPE',
  ],
  'sendSync with descriptors': [
    (channel) => {
      for (;;) channel.sendSync('x', { fds: [0, 1, 2] });
    },
    'EPIPE',
  ],
};

for (const [what, [call, code]] of Object.entries(BLOCKED)) {
  test(`a thread that is blocked in ${what} goes on when the peer is killed`, {
    timeout: 20_000,
  }, async (t) => {
    const { channel } = await mortal(t, `${DIES} ${SLEEPS}`);
    assert.throws(() => call(channel), { code });
    channel.close();
  });
}

test('messages with descriptors of a process that was killed are received', {
  timeout: 20_000,
}, async (t) => {
  const { channel, kill, reports } = await mortal(
    t,
    `const { openSync } = await import('node:fs');
    const fd = openSync('/dev/null', 'r');
    for (let i = 0; i < 20; i++) await channel.sendWithFds(String(i), i % 2 === 0 ? [0, fd] : []);
    await channel.send('last');
    process.send('sent');
    ${SLEEPS}`,
  );
  await reports;
  await kill();
  for (let i = 0; i < 20; i++) {
    const { data, fds } = await channel.receiveMessage({ maxFds: 2 });
    assert.deepEqual([String(data), fds.length], [`${i}`, i % 2 === 0 ? 2 : 0]);
    for (const fd of fds) fd.close();
  }
  assert.equal(String((await channel.receiveMessage()).data), 'last');
  assert.deepEqual(await codes([channel.receiveMessage(), channel.send('x')]), ['EOF', 'EPIPE']);
});

test('a message that was leased and not sent is not received', { timeout: 20_000 }, async (t) => {
  const { channel, kill, reports } = await mortal(
    t,
    `channel.trySend('sent');
    const lease = channel.lease(1000);
    lease.data.fill('x');
    process.send('leased');
    ${SLEEPS}`,
  );
  await reports;
  await kill();
  assert.equal(String((await channel.receiveMessage()).data), 'sent');
  await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
});
