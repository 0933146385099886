/** How sessions are refused and ended; the log says why. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'seqpacket';
import { start } from './support/bridges.js';
import { echoBehindBridges, echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { pause, Running, scratchDirectory, supportFile } from './support/programs.js';
import { traffic } from './support/traffic.js';

test('no bridge serves the subject: the connection is closed at once', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const join = await start(t, 'join', nats.url, `${directory}/clients`);
  const client = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.match((await client.ended).stdout, /^(EOF|ECONNRESET)\n$/);
  const [refused] = await join.until('refused');
  assert.equal(refused?.code, 'ECONNREFUSED');
  assert.equal(refused?.reason, 'no bridge serves the subject test.service');
  assert.equal(refused?.local?.pid, client.child.pid);
});

test('the only service is not there: the log gives the reason', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const serve = await start(t, 'serve', nats.url, `${directory}/service`);
  const join = await start(t, 'join', nats.url, `${directory}/clients`);
  const client = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.match((await client.ended).stdout, /^(EOF|ECONNRESET)\n$/);
  for (const bridge of [serve, join]) {
    const [refused] = await bridge.until('refused');
    assert.equal(refused?.code, 'ENOENT');
    assert.match(refused?.reason ?? '', /the service is not there/);
  }
  // It leaves the queue group before it refuses: the client's bridge does not ask it again.
  assert.equal(serve.of('refused').length, 1);
  // It is back a second later.
  await echoService(t, `${directory}/service`, 'here');
  await pause(1200);
  const next = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.equal(await next.done(), 'here\n');
});

test('descriptors end the session with an error, and are closed', withNats, async (t) => {
  const { directory, service, serve, join } = await echoBehindBridges(t);
  const client = new Running(t, 'python3', [supportFile('pass-descriptors.py'), `${directory}/clients`]);
  // The client sees the end of its pipe: no process has a duplicate of the descriptor.
  assert.match(await client.done(), /^(EOF|ECONNRESET|EPIPE)\nclosed everywhere\n$/);
  for (const bridge of [serve, join]) {
    const [closed] = await bridge.until('closed');
    assert.equal(closed?.code, 'EOPNOTSUPP');
    assert.match(closed?.reason ?? '', /descriptors/);
  }
  await service.prints('closed');
});

test('unread messages: the local program gets ECONNRESET', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  // Long heartbeats, so that the client is not refused because no answer comes.
  const args = ['--heartbeat', '60'];
  const join = await start(t, 'join', nats.url, `${directory}/clients`, { args });
  nats.process.kill('SIGSTOP');
  // No answer comes, so that its message stays unread.
  const client = await connect(`${directory}/clients`);
  await client.send('hello');
  while (!join.of('counters').some(({ nats: { outMsgs } }) => outMsgs > 0)) {
    assert.equal(join.isOver, false);
    join.kill('SIGUSR2');
    await pause(20);
  }
  nats.process.kill('SIGKILL');
  await assert.rejects(client.receiveMessage(), { code: 'ECONNRESET' });
  client.close();
  const [refused] = await join.until('refused');
  assert.equal(refused?.code, 'ENOTCONN');
  assert.equal(refused?.reason, 'the connection to NATS was lost');
});

test('SIGTERM drains: no new sessions, open ones may end', withNats, async (t) => {
  const { directory, serve, join } = await echoBehindBridges(t, { name: 'hello' });
  const client = new Running(t, 'python3', [supportFile('interactive.py'), `${directory}/clients`], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await client.prints('hello');
  serve.kill('SIGTERM');
  join.kill('SIGTERM');
  await Promise.all([serve.until('draining'), join.until('draining')]);
  const late = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.match((await late.ended).stdout, /^(ENOENT|ECONNREFUSED)\n$/);
  client.child.stdin?.write('still there\n');
  await client.prints('still there');
  assert.equal(serve.isOver || join.isOver, false);
  client.child.stdin?.end();
  await client.prints('bye');
  for (const bridge of [serve, join]) {
    assert.equal((await bridge.ended).code, 0);
    assert.equal(bridge.of('closed')[0]?.reason, 'end of file');
  }
});

test('a second SIGTERM ends the sessions with an error', withNats, async (t) => {
  const running = await traffic(t);
  running.serve.kill('SIGTERM');
  await running.serve.until('draining');
  running.serve.kill('SIGTERM');
  assert.equal((await running.serve.ended).code, 128 + 15);
  await running.failed();
  const [closed] = await running.join.until('closed');
  assert.match(closed?.reason ?? '', /the bridge was closed/);
});

test('SIGUSR2 prints counters', withNats, async (t) => {
  const { directory, serve, join } = await echoBehindBridges(t);
  await new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`, '100']).done();
  await join.until('closed');
  serve.kill('SIGUSR2');
  const [counters] = await serve.until('counters');
  assert.equal(counters?.opened, 1);
  assert.equal(counters?.open, 0);
  assert.equal(counters?.failed, 0);
  assert.equal(counters?.toService.bytes, 100);
  assert.ok((counters?.nats.inMsgs ?? 0) > 0);
});
