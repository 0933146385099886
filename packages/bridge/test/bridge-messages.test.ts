/** Unchanged programs on both sides of two bridges and a real nats-server. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from 'seqpacket';
import { start } from './support/bridges.js';
import { echoBehindBridges } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { missing, Running, scratchDirectory, supportFile } from './support/programs.js';

/** As long as this system allows; the bridges have no privilege to exceed it. */
const wmemMax = Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8'));
const longest = Math.min(4_000_000, wmemMax);

test(
  'messages of all lengths keep boundaries and order; half-close and end of file arrive',
  withNats,
  async (t) => {
    if (longest < 4_000_000) t.diagnostic(`net.core.wmem_max limits messages to ${wmemMax} bytes`);
    const { directory, service, serve, join } = await echoBehindBridges(t);
    const client = new Running(t, 'python3', [
      supportFile('exchange.py'),
      `${directory}/clients`,
      String(longest),
    ]);
    const bytes = 64 + 200 * 1024 + longest + 4;
    assert.equal(await client.done(), `exchanged ${bytes}\n`);
    const [closed] = await join.until('closed');
    assert.deepEqual(
      { ...closed, time: 0, session: '', seconds: 0, local: { ...closed?.local, pid: 0 } },
      {
        time: 0,
        event: 'closed',
        session: '',
        local: { pid: 0, uid: process.getuid?.() },
        reason: 'end of file',
        toService: { messages: 7, bytes },
        toClient: { messages: 8, bytes: bytes + 3 },
        seconds: 0,
      },
    );
    const [other] = await serve.until('closed');
    assert.equal(other?.session, closed?.session);
    assert.deepEqual(other?.toClient, closed?.toClient);
    assert.equal(other?.reason, 'end of file');
    const [opened] = join.of('opened');
    assert.equal(opened?.local?.pid, client.child.pid);
    assert.equal(opened?.remote.pid, service.child.pid);
  },
);

test('socat and the command seqpacket talk through the bridges', {
  skip: withNats.skip || missing('socat'),
}, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const command = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
  const listening = [command, 'listen', '--verbose', '--exec', 'tr a-z A-Z', `${directory}/service`];
  const service = new Running(t, process.execPath, listening);
  await service.prints('listening at');
  await start(t, 'serve', nats.url, `${directory}/service`);
  const join = await start(t, 'join', nats.url, `${directory}/clients`);
  const client = new Running(t, 'socat', ['-t', '5', '-', `UNIX-CONNECT:${directory}/clients,type=5`], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  client.child.stdin?.end('from socat\n');
  assert.match(await client.done(), /FROM SOCAT/);
  assert.equal((await join.until('closed'))[0]?.reason, 'end of file');
});

test('many sessions at once', withNats, async (t) => {
  const { directory, join } = await echoBehindBridges(t, { args: ['--heartbeat', '2'] });
  await Promise.all(
    Array.from({ length: 60 }, async (_, client) => {
      const socket = await connect(`${directory}/clients`, { emptyMessages: 'deliver' });
      for (let number = 0; number < 20; number++) {
        await socket.send(`${client} ${number} ${'x'.repeat(client * number)}`);
      }
      socket.shutdown('send');
      for (let number = 0; number < 20; number++) {
        const { data } = await socket.receiveMessage();
        assert.equal(String(data), `${client} ${number} ${'x'.repeat(client * number)}`);
      }
      assert.equal(String((await socket.receiveMessage()).data), 'bye');
      await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
      socket.close();
    }),
  );
  const closed = await join.until('closed', 60);
  assert.ok(closed.every(({ code }) => code === undefined));
});
