/** Messages that no bridge sends: they disturb neither the bridge that gets them nor its other sessions. */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node';
import { connect, type SeqpacketSocket } from 'seqpacket';
import { BridgeProcess, start } from './support/bridges.js';
import { ANSWER, frame, OPEN, OPENING, RESET } from './support/by-hand.js';
import { type EchoBehindBridges, echoBehindBridges } from './support/echo.js';
import { withNats } from './support/nats-server.js';

interface World extends EchoBehindBridges {
  /** A connection to NATS that belongs to no bridge. */
  stranger: NatsConnection;
  /** An honest client with a session. */
  client: SeqpacketSocket;
}

async function world(t: TestContext): Promise<World> {
  const bridges = await echoBehindBridges(t);
  const stranger = await connectNats({ servers: bridges.nats.url.replace('nats://', '') });
  const client = await connect(`${bridges.directory}/clients`);
  t.after(async () => {
    client.close();
    await stranger.close();
  });
  await echoes(client, 'before');
  return { ...bridges, stranger, client };
}

async function echoes(client: SeqpacketSocket, text: string): Promise<void> {
  await client.send(text);
  assert.equal(String((await client.receiveMessage()).data), text);
}

/** As JSON, so that it may have what no object has. */
const opening = (fields: string) => frame(OPEN, 0, `${JSON.stringify(OPENING).slice(0, -1)},${fields}}`);

const OPENINGS: [string, Buffer, RegExp][] = [
  ['a version without a text', opening('"version":{"toString":1,"valueOf":1}'), /version \{"toString":1/],
  ['a long name', opening(`"session":${JSON.stringify('"'.repeat(300_000))}`), /session is "(\\"){49}…?/],
  ['a long subject', opening(`"toClient":"_INBOX.${'x'.repeat(5000)}"`), /toClient has 5007 characters/],
  ['an endless window', opening('"window":9007199254740991'), /window is 9007199254740991, not/],
  ['a window for less than two pieces', opening('"window":2511'), /window is 2511, not 2512 to/],
  ['pieces of one byte', opening('"piece":1'), /piece is 1, not 512 to/],
  ['no patience', opening('"deadAfter":1'), /deadAfter is 1, not 200 to/],
  ['a time beyond that of a timer', opening('"deadAfter":2147483648'), /deadAfter is 2147483648/],
];

test('requests that no bridge sends', withNats, async (t) => {
  const { stranger, serve, client, directory } = await world(t);
  for (const [name, request, reason] of OPENINGS) {
    const { data } = await stranger.request('test.service', request);
    const refusal = JSON.parse(Buffer.from(data).subarray(8).toString());
    assert.equal(refusal.code, 'EPROTO', name);
    assert.match(refusal.reason, reason, name);
    assert.ok(refusal.reason.length <= 300, name);
  }
  const errors = await serve.until('error', OPENINGS.length);
  assert.equal(errors.length, OPENINGS.length);
  for (const { reason } of errors) assert.ok(reason.length < 300);
  // Neither the session nor the queue group has lost the bridge.
  await echoes(client, 'after');
  const second = await connect(`${directory}/clients`);
  await echoes(second, 'second');
  second.close();
});

test('answers that no bridge sends', withNats, async (t) => {
  const { stranger, join, client, nats, directory } = await world(t);
  const answers = [
    (reply: string) => stranger.publish(reply, frame(ANSWER, 0, '{"version":{"toString":1,"valueOf":1}}')),
    (reply: string) => stranger.publish(reply, 'hello'),
    (reply: string) => stranger.publish(reply, frame(ANSWER, 0, '"'.repeat(300_000))),
  ];
  const subscription = stranger.subscribe('a.trap', {
    callback: (_, { reply = '' }) => answers[asked++]?.(reply),
  });
  let asked = 0;
  await stranger.flush();
  const trapped = await start(t, 'join', nats.url, `${directory}/trap`, { subject: 'a.trap' });
  for (let number = 1; number <= answers.length; number++) {
    const victim = await connect(`${directory}/trap`);
    await assert.rejects(victim.receiveMessage(), { code: /^(EOF|ECONNRESET)$/ });
    victim.close();
    const refused = await trapped.until('refused', number);
    assert.equal(refused.at(-1)?.code, 'EPROTO');
  }
  subscription.unsubscribe();
  await stranger.flush();
  // The bridge still reads what NATS sends.
  const last = await connect(`${directory}/trap`);
  await assert.rejects(last.receiveMessage(), { code: /^(EOF|ECONNRESET)$/ });
  last.close();
  assert.equal((await trapped.until('refused', answers.length + 1)).at(-1)?.code, 'ECONNREFUSED');
  await echoes(client, 'after');
  assert.equal(join.of('error').length, 0);
});

test('a header that the client of NATS cannot parse', withNats, async (t) => {
  const { stranger, nats, directory } = await world(t);
  // Written by hand: the client does not send it.
  const { hostname, port } = new URL(nats.url);
  const wire = createConnection(Number(port), hostname);
  t.after(() => wire.destroy());
  wire.write('CONNECT {"verbose":false,"headers":true}\r\n');
  stranger.subscribe('a.trap', {
    callback: (_, { reply = '' }) => {
      const header = 'NATS/1.0\r\nbad name: x\r\n\r\n';
      wire.write(`HPUB ${reply} ${header.length} ${header.length}\r\n${header}\r\n`);
    },
  });
  await stranger.flush();
  const trapped = await start(t, 'join', nats.url, `${directory}/trap`, { subject: 'a.trap' });
  for (let number = 1; number <= 2; number++) {
    const victim = await connect(`${directory}/trap`);
    await assert.rejects(victim.receiveMessage(), { code: /^(EOF|ECONNRESET)$/ });
    victim.close();
    assert.equal((await trapped.until('refused', number)).at(-1)?.code, 'EPROTO');
  }
});

test('an answer that comes too late is answered with a reset', withNats, async (t) => {
  const { stranger, nats, directory } = await world(t);
  const resets: unknown[] = [];
  stranger.subscribe('to.service', {
    callback: (_, { data }) => {
      assert.equal(data[0], RESET);
      resets.push(JSON.parse(Buffer.from(data).subarray(8).toString()));
    },
  });
  const replies: string[] = [];
  stranger.subscribe('a.trap', { callback: (_, { reply = '' }) => void replies.push(reply) });
  await stranger.flush();
  const trapped = await start(t, 'join', nats.url, `${directory}/trap`, { subject: 'a.trap' });
  const victim = await connect(`${directory}/trap`);
  await assert.rejects(victim.receiveMessage(), { code: 'EOF' });
  victim.close();
  assert.equal((await trapped.until('refused'))[0]?.code, 'ETIMEDOUT');
  const { session: _, client: __, ...answer } = OPENING;
  const late = JSON.stringify({ ...answer, toService: 'to.service', service: {} });
  stranger.publish(replies.at(-1) as string, frame(ANSWER, 0, late));
  while (resets.length === 0) await stranger.flush();
  assert.deepEqual(resets, [{ code: 'ETIMEDOUT', reason: 'the answer came too late' }]);
});

test('names from other machines do not control the terminal, and JSON stays JSON', withNats, async (t) => {
  const { stranger, serve, nats, directory } = await world(t);
  const plain = new BridgeProcess(t, ['serve', 'also.text', `${directory}/service`, '--server', nats.url]);
  await plain.prints('ready');
  const host = '\u0085\u007f\u001b[31m\u202e\u2066\n';
  const request = frame(OPEN, 0, JSON.stringify({ ...OPENING, client: { host } }));
  stranger.publish('test.service', request);
  stranger.publish('also.text', request);
  await stranger.flush();
  const opened = await serve.until('opened', 2);
  assert.equal(opened.at(-1)?.remote.host, host);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
  const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
  assert.doesNotMatch(serve.stdout, control);
  await plain.prints('opened');
  assert.doesNotMatch(plain.stdout, control);
  assert.ok(plain.stdout.includes('with \\u0085\\u007f\\u001b[31m\\u202e\\u2066\\u000a'));
});
