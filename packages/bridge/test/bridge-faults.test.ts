/** What breaks during traffic ends the sessions with an error at both ends; no message is doubled or reordered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './support/bridges.js';
import { echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { Running, scratchDirectory, supportFile } from './support/programs.js';
import { endOf, LIMIT_MS, traffic } from './support/traffic.js';

test('nats-server is killed and restarted', withNats, async (t) => {
  const running = await traffic(t);
  running.nats.process.kill('SIGKILL');
  const { milliseconds } = await running.failed();
  assert.ok(milliseconds < LIMIT_MS, `${milliseconds} ms`);
  for (const bridge of [running.serve, running.join]) {
    await bridge.until('disconnected');
    const [closed] = await bridge.until('closed');
    assert.equal(closed?.code, 'ECONNRESET');
    assert.match(closed?.reason ?? '', /the connection to NATS was lost/);
  }
  const refused = new Running(t, 'python3', [
    supportFile('traffic.py'),
    'join',
    `${running.directory}/clients`,
  ]);
  assert.match((await endOf(refused)).sending, /EPIPE|ECONNRESET/);
  const [refusal] = await running.join.until('refused');
  assert.match(refusal?.reason ?? '', /no connection to NATS/);

  await running.nats.restart();
  await Promise.all([running.serve.until('reconnected'), running.join.until('reconnected')]);
  await running.again(t);
});

for (const side of ['serve', 'join'] as const) {
  test(`the bridge of ${side === 'serve' ? 'the service' : 'the client'} is killed`, withNats, async (t) => {
    const running = await traffic(t);
    running[side].kill('SIGKILL');
    const { milliseconds } = await running.failed();
    assert.ok(milliseconds < LIMIT_MS, `${milliseconds} ms`);
    const other = side === 'serve' ? running.join : running.serve;
    const [closed] = await other.until('closed');
    assert.equal(closed?.code, 'ECONNRESET');
    assert.match(closed?.reason ?? '', /nothing was heard from the other bridge/);
  });
}

test('the service is killed', withNats, async (t) => {
  const running = await traffic(t);
  running.service.kill('SIGKILL');
  const client = await endOf(running.client);
  assert.match(client.sending, /^(EPIPE|ECONNRESET)$/);
  assert.match(client.receiving, /^(EOF|ECONNRESET)$/);
  for (const bridge of [running.serve, running.join]) {
    const [closed] = await bridge.until('closed');
    assert.equal(closed?.code, 'ECONNRESET');
    assert.match(closed?.reason ?? '', /closed the connection/);
  }
});

test('a bridge stops for longer than the limit, and continues', withNats, async (t) => {
  const running = await traffic(t);
  running.serve.kill('SIGSTOP');
  await endOf(running.client);
  running.serve.kill('SIGCONT');
  await running.failed();
  await running.again(t);
});

test('two services share the sessions; one of them dies', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const services = await Promise.all(
    ['one', 'two'].map((name) => echoService(t, `${directory}/${name}`, name)),
  );
  const [first] = await Promise.all(
    ['one', 'two'].map((name) => start(t, 'serve', nats.url, `${directory}/${name}`)),
  );
  const join = await start(t, 'join', nats.url, `${directory}/clients`);
  const names = async (count: number) => {
    const found = new Set<string>();
    for (let number = 0; number < count; number++) {
      const client = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
      found.add(await client.done());
    }
    return [...found].sort();
  };
  assert.deepEqual(await names(12), ['one\n', 'two\n']);
  // The bridge is still there, its service is not: the clients reach the other one.
  services[0]?.kill('SIGKILL');
  assert.deepEqual(await names(6), ['two\n']);
  first?.kill('SIGKILL');
  await first?.ended;
  assert.deepEqual(await names(4), ['two\n']);
  assert.deepEqual(join.of('refused'), []);
});
