/** A cluster of two servers: the bridges are connected to different ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'seqpacket';
import { start } from './support/bridges.js';
import { echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { pause, Running, scratchDirectory, supportFile } from './support/programs.js';

test('sessions through two servers of a cluster', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const port = 40_000 + (process.pid % 10_000);
  const cluster = (listen: number, routes: string) =>
    `cluster { name: two, listen: "127.0.0.1:${listen}", routes: [${routes}] }`;
  const first = await startNats(t, { configuration: cluster(port, '') });
  const second = await startNats(t, {
    configuration: cluster(port + 10_000, `"nats://127.0.0.1:${port}"`),
  });
  await second.process.prints(/Route connection created/);
  await echoService(t, `${directory}/service`);
  const serve = await start(t, 'serve', first.url, `${directory}/service`);
  const join = await start(t, 'join', second.url, `${directory}/clients`);
  await pause(300);
  const client = new Running(t, 'python3', [supportFile('exchange.py'), `${directory}/clients`, '150000']);
  await client.done();
  // Each session has new subjects: their interest must travel ahead of the frames.
  for (let number = 0; number < 100; number++) {
    const socket = await connect(`${directory}/clients`);
    await socket.sendMany([String(number), 'next']);
    assert.equal(String((await socket.receiveMessage()).data), String(number));
    assert.equal(String((await socket.receiveMessage()).data), 'next');
    socket.close();
  }
  await join.until('closed', 101);
  assert.equal(join.of('refused').length, 0);
  // Clients that close without waiting for "bye" make the session end with an error; a gap is none of the reasons.
  for (const { reason } of [...join.of('closed'), ...serve.of('closed')])
    assert.doesNotMatch(reason, /gap|late/);

  // The server of the service ends: both ends of a session get an error.
  const open = await connect(`${directory}/clients`);
  await open.send('open');
  await open.receiveMessage();
  first.process.kill('SIGKILL');
  await assert.rejects(open.receiveMessage(), { code: /^(EOF|ECONNRESET)$/ });
  open.close();
  // Its bridge goes on with the other server, which it knows from the cluster.
  await serve.until('reconnected');
  const again = await connect(`${directory}/clients`);
  await again.send('again');
  assert.equal(String((await again.receiveMessage()).data), 'again');
  again.close();
});
