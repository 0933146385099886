/** `serveOverNats` and `joinOverNats`: their options, limits, draining and closing. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { connect as connectNats } from '@nats-io/transport-node';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import {
  type Bridge,
  type BridgeOptions,
  joinOverNats,
  type LogEvent,
  serveOverNats,
} from 'seqpacket-bridge';
import { startNats, withNats } from './support/nats-server.js';
import { pause, Running, scratchDirectory } from './support/programs.js';

interface World {
  address: string;
  servers: string;
  serve: Bridge;
  join: Bridge;
  events: LogEvent[];
  connect(): Promise<SeqpacketSocket>;
}

async function world(
  t: TestContext,
  serving: Partial<BridgeOptions> = {},
  joining: Partial<BridgeOptions> = {},
): Promise<World> {
  const { url } = await startNats(t);
  const servers = url.replace('nats://', '');
  const directory = scratchDirectory(t);
  const acceptor = listen(`${directory}/service`);
  const accepted = (async () => {
    for await (const socket of acceptor) void echo(socket);
  })();
  const events: LogEvent[] = [];
  const common = { subject: 'functions', nats: { servers } };
  const serve = await serveOverNats({ ...common, address: `${directory}/service`, ...serving });
  const address = `${directory}/clients`;
  const join = await joinOverNats({ ...common, address, log: (event) => events.push(event), ...joining });
  const sockets: SeqpacketSocket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.close();
    await Promise.all([serve.close(), join.close()]);
    acceptor.close();
    await accepted;
  });
  return {
    address,
    servers,
    serve,
    join,
    events,
    connect: async () => {
      const socket = await connect(address);
      sockets.push(socket);
      return socket;
    },
  };
}

async function echo(socket: SeqpacketSocket): Promise<void> {
  try {
    for await (const message of socket) await socket.send(message);
  } catch {
    // The client has closed its end.
  } finally {
    socket.close();
  }
}

async function isServed(socket: SeqpacketSocket): Promise<boolean> {
  try {
    await socket.send('hello');
    await socket.receiveMessage();
    return true;
  } catch {
    return false;
  }
}

test('options that are refused before anything happens', async () => {
  const options = { subject: 'a', address: '/nonexistent/a', nats: { servers: '127.0.0.1:1' } };
  const WRONG: [object, RegExp][] = [
    [{ subject: undefined }, /^TypeError: subject undefined/],
    [{ subject: 'a'.repeat(256) }, /^TypeError: subject.*255 characters at most/],
    [{ address: undefined }, /^TypeError: address is not a path/],
    [{ address: 7 }, /^TypeError: address/],
    [{ address: '' }, /^TypeError: address/],
    [{ heartbeatEvery: '5000' }, /^TypeError: heartbeatEvery is not a number/],
    [{ heartbeatEvery: 99 }, /^RangeError: heartbeatEvery is 99, not 100 to 2147483647/],
    [{ deadAfter: Number.NaN }, /^RangeError: deadAfter is NaN/],
    [{ heartbeatEvery: 1000, deadAfter: 1999 }, /^RangeError: deadAfter is less than two heartbeats/],
    [{ maxSessions: '3' }, /^RangeError: maxSessions is 3/],
    [{ maxSessions: 0 }, /^RangeError: maxSessions is 0/],
    [{ maxSessions: 1.5 }, /^RangeError: maxSessions is 1.5/],
    [{ log: 'log' }, /^TypeError: log is not a function/],
    [{ nats: { inboxPrefix: 'a b' } }, /^TypeError: inboxPrefix "a b"/],
    [{ nats: { inboxPrefix: '' } }, /^TypeError: inboxPrefix ""/],
  ];
  for (const [wrong, reason] of WRONG) {
    for (const start of [serveOverNats, joinOverNats]) {
      const error = await start({ ...options, ...wrong } as BridgeOptions).then(
        () => assert.fail(JSON.stringify(wrong)),
        (error: Error) => error,
      );
      assert.match(`${error.name}: ${error.message}`, reason);
    }
  }
});

test('a server with a small max_payload is refused', withNats, async (t) => {
  const { url } = await startNats(t, { configuration: 'max_payload: 1023' });
  const options = { subject: 'a', nats: { servers: url.replace('nats://', '') } };
  const reason = { message: "the server's max_payload is 1023, and a bridge needs 1024" };
  for (const start of [serveOverNats, joinOverNats])
    await assert.rejects(start({ ...options, address: `${scratchDirectory(t)}/a` }), reason);
});

test('times that are no whole numbers of milliseconds', withNats, async (t) => {
  const times = { heartbeatEvery: 333.3, deadAfter: 16_100.000000000002 };
  const { connect } = await world(t, times, times);
  assert.ok(await isServed(await connect()));
});

test('a bridge sends as many heartbeats as the other one needs', withNats, async (t) => {
  const { connect, join } = await world(t, {}, { heartbeatEvery: 100, deadAfter: 300 });
  const socket = await connect();
  assert.ok(await isServed(socket));
  await pause(1500);
  assert.deepEqual([join.counters.open, join.counters.failed], [1, 0]);
  assert.ok(await isServed(socket));
});

test('sessions that are being opened count for the maximum', withNats, async (t) => {
  const { connect, join, serve } = await world(t, { maxSessions: 2 }, { maxSessions: 3 });
  const clients = await Promise.all(Array.from({ length: 30 }, connect));
  const served = await Promise.all(clients.map(isServed));
  assert.equal(served.filter(Boolean).length, 2);
  assert.deepEqual([join.counters.opened, serve.counters.opened], [2, 2]);
  clients[served.indexOf(true)]?.close();
  while (serve.counters.open > 1 || join.counters.open > 1) await pause(5);
  assert.ok(await isServed(await connect()));
});

test('drain may be called again', withNats, async (t) => {
  const { connect, join, serve } = await world(t);
  const socket = await connect();
  assert.ok(await isServed(socket));
  const drained = [join.drain(), join.drain(), serve.drain(), serve.drain()];
  socket.close();
  await Promise.all(drained);
  await Promise.all([join.drain(), serve.drain(), join.closed, serve.closed]);
});

// The short ones would let the bridge ask again; with the long ones, only close ends the wait.
for (const heartbeatEvery of [100, 60_000]) {
  test(
    `close refuses a client that waits for an answer, heartbeats of ${heartbeatEvery} ms`,
    withNats,
    async (t) => {
      const { url } = await startNats(t);
      const servers = url.replace('nats://', '');
      const nats = await connectNats({ servers });
      t.after(() => nats.close());
      const asked = new Promise<void>((resolve) => nats.subscribe('silent', { callback: () => resolve() }));
      await nats.flush();
      const events: LogEvent[] = [];
      const address = `${scratchDirectory(t)}/clients`;
      const log = (event: LogEvent) => events.push(event);
      const bridge = await joinOverNats({
        subject: 'silent',
        address,
        heartbeatEvery,
        nats: { servers },
        log,
      });
      const client = await connect(address);
      t.after(() => client.close());
      await asked;
      await bridge.close();
      await assert.rejects(client.receiveMessage(), { code: 'EOF' });
      assert.deepEqual(
        events.filter(({ event }) => event === 'refused').map((event) => 'reason' in event && event.reason),
        ['the bridge was closed'],
      );
      // Nothing of the bridge is left that would ask again.
      await pause(500);
    },
  );
}

/** A program that uses the package, as a process of its own. */
function program(t: TestContext, code: string): Running {
  const module = import.meta.resolve('seqpacket-bridge');
  const source = `import { joinOverNats } from ${JSON.stringify(module)}; ${code}`;
  return new Running(t, process.execPath, ['--input-type=module', '-e', source]);
}

test('what log throws is an uncaught exception, and the bridge goes on', withNats, async (t) => {
  const { servers } = await world(t);
  const address = `${scratchDirectory(t)}/clients`;
  const options = JSON.stringify({ subject: 'functions', address, nats: { servers } });
  const running = program(
    t,
    `process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const log = ({ event }) => {
      console.log(event);
      if (event === 'opened') throw new Error('from log');
    };
    await joinOverNats({ ...${options}, log });`,
  );
  await running.prints('ready');
  const socket = await connect(address);
  assert.ok(await isServed(socket));
  socket.close();
  await running.prints('closed');
  assert.match(running.stdout, /^uncaught from log$/m);
});

test('a listener that fails leaves no connection to NATS', withNats, async (t) => {
  const { url } = await startNats(t);
  const servers = url.replace('nats://', '');
  const address = '/nonexistent/clients';
  await assert.rejects(joinOverNats({ subject: 'a', address, nats: { servers } }), { code: 'ENOENT' });
  // A process without other work ends, because nothing of the bridge is left.
  const options = JSON.stringify({ subject: 'a', address, nats: { servers } });
  const running = program(t, `joinOverNats(${options}).catch(({ code }) => console.log(code));`);
  assert.equal(await running.done(), 'ENOENT\n');
});
