/** A peer that speaks the protocol by hand: any gap, late or doubled frame ends the session. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect as connectNats } from '@nats-io/transport-node';
import { connect } from 'seqpacket';
import { joinOverNats, type LogEvent, serveOverNats } from 'seqpacket-bridge';
import {
  CREDIT,
  DELIVERED,
  END,
  frame,
  HEARTBEAT,
  LAST_PIECE,
  number64,
  OPEN,
  PIECE,
  REFUSE,
  RESET,
  session,
  totals,
} from './support/by-hand.js';
import { startNats, withNats } from './support/nats-server.js';
import { pause, scratchDirectory } from './support/programs.js';

test('a session to its end', withNats, async (t) => {
  const { service, send, next, ended } = await session(t);
  send(frame(PIECE, 1, 'x'.repeat(512)));
  send(frame(LAST_PIECE, 2, 'pieces'));
  send(frame(LAST_PIECE, 3, ''));
  send(frame(HEARTBEAT, 4));
  send(frame(END, 5, totals(2, 518)));
  assert.equal(String((await service.receiveMessage()).data), `${'x'.repeat(512)}pieces`);
  assert.equal((await service.receiveMessage()).data.length, 0);
  await assert.rejects(service.receiveMessage(), { code: 'EOF' });
  assert.deepEqual(await next(), { type: DELIVERED, number: 1, body: Buffer.alloc(0) });
  await service.send(Buffer.alloc(2500, 'x'));
  service.shutdown('send');
  const pieces = [await next(), await next(), await next()];
  assert.deepEqual(
    pieces.map(({ type, number, body }) => [type, number, body.length]),
    [
      [PIECE, 2, 1000],
      [PIECE, 3, 1000],
      [LAST_PIECE, 4, 500],
    ],
  );
  assert.deepEqual(await next(), { type: END, number: 5, body: totals(1, 2500) });
  send(frame(DELIVERED, 6));
  assert.equal((await ended()).code, undefined);
});

const FAULTS: [string, Buffer[], string, RegExp][] = [
  ['a gap', [frame(LAST_PIECE, 1), frame(LAST_PIECE, 3)], 'ECONNRESET', /a gap: frame 3 in place of 2/],
  ['a lost heartbeat', [frame(HEARTBEAT, 2)], 'ECONNRESET', /a gap/],
  ['a doubled piece', [frame(LAST_PIECE, 1), frame(LAST_PIECE, 1)], 'ECONNRESET', /late or doubled/],
  [
    'a late piece',
    [frame(LAST_PIECE, 1), frame(LAST_PIECE, 2), frame(LAST_PIECE, 0)],
    'ECONNRESET',
    /late or doubled/,
  ],
  ['a short frame', [Buffer.from([LAST_PIECE, 0])], 'EPROTO', /a frame of 2 bytes/],
  ['an unknown type', [frame(99, 1)], 'EPROTO', /unknown type 99/],
  ['reserved bytes', [Buffer.from([7, 0, 1, 0, 0, 0, 0, 1])], 'EPROTO', /reserved bytes/],
  ['a second open', [frame(OPEN, 1, '{}')], 'EPROTO', /type 1 in a session/],
  ['a piece after the end', [frame(END, 1, totals(0, 0)), frame(PIECE, 2)], 'EPROTO', /after the end/],
  [
    'an end inside a message',
    [frame(PIECE, 1, Buffer.alloc(512)), frame(END, 2, totals(0, 0))],
    'EPROTO',
    /unexpected end/,
  ],
  ['wrong totals', [frame(LAST_PIECE, 1, 'x'), frame(END, 2, totals(2, 1))], 'EPROTO', /1 messages arrived/],
  ['"delivered" without an end', [frame(DELIVERED, 1)], 'EPROTO', /without an end/],
  ['a lower credit', [frame(CREDIT, 1, number64(1))], 'EPROTO', /a credit of 1 after/],
  ['a piece that is too long', [frame(LAST_PIECE, 1, Buffer.alloc(262_145))], 'EPROTO', /a piece of 262145/],
  [
    'too much credit',
    [frame(CREDIT, 1, number64(5_000_000))],
    'EPROTO',
    /a credit of 5000000 after \d+ were used/,
  ],
  ['a piece that is too short', [frame(PIECE, 1, Buffer.alloc(511))], 'EPROTO', /a piece of 511 bytes/],
  [
    'a reset with a long code',
    [frame(RESET, 1, JSON.stringify({ code: '"'.repeat(300_000) }))],
    'EPROTO',
    /code is/,
  ],
  ['a reset', [frame(RESET, 77, '{"code":"EIO","reason":"broken"}')], 'EIO', /the other bridge: broken/],
  ['a reset without JSON', [frame(RESET, 77, 'x')], 'EPROTO', /not JSON/],
];

for (const [name, frames, code, reason] of FAULTS) {
  test(`${name} ends the session with ${code}`, withNats, async (t) => {
    const { service, send, next, ended } = await session(t);
    service.trySend('unread'); // so that the kernel can report a reset
    for (const data of frames) send(data);
    const { code: logged, reason: why } = await ended();
    assert.equal(logged, code);
    assert.match(why, reason);
    if (name !== 'a reset') {
      for (;;) {
        const { type, body } = await next();
        if (type !== RESET) continue;
        assert.equal(JSON.parse(String(body)).code, code);
        break;
      }
    }
    // The service gets what was delivered, and then the end of its connection.
    await assert.rejects(
      async () => {
        for (;;) await service.receiveMessage();
      },
      { code: /^(EOF|ECONNRESET)$/ },
    );
  });
}

test('more pieces than the credit allows end the session', withNats, async (t) => {
  const { send, ended } = await session(t);
  // The service does not read.
  for (let number = 1; number < 60; number++) send(frame(LAST_PIECE, number, Buffer.alloc(100_000)));
  const { code, reason } = await ended();
  assert.equal(code, 'EPROTO');
  assert.match(reason, /more pieces than the credit allows/);
});

const wmemMax = Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8'));

test('a message that is too long for the service ends the session with EMSGSIZE', withNats, async (t) => {
  const { service, send, next, ended } = await session(t);
  const piece = Buffer.alloc(200_000);
  send(frame(LAST_PIECE, 1, 'short'));
  let limit = 524_800;
  // The kernel doubles the size that an option sets.
  const last = 2 + Math.ceil((2 * wmemMax) / piece.length);
  for (let number = 2; number <= last; number++) {
    const used = 5 + 256 + (number - 2) * (piece.length + 256);
    while (used + piece.length + 256 > limit) limit = (await next()).body.readUInt32BE(4);
    send(frame(number === last ? LAST_PIECE : PIECE, number, piece));
  }
  const { code, reason, toService } = await ended();
  assert.equal(code, 'EMSGSIZE');
  assert.match(reason, /1 message was not delivered.*net\.core\.wmem_max/);
  assert.deepEqual(toService, { messages: 1, bytes: 5 });
  let answer = await next();
  while (answer.type === CREDIT) answer = await next();
  assert.deepEqual([answer.type, JSON.parse(String(answer.body)).code], [RESET, 'EMSGSIZE']);
  // What came before is delivered.
  assert.equal(String((await service.receiveMessage()).data), 'short');
  await assert.rejects(service.receiveMessage(), { code: 'EOF' });
});

test('without credit the service has to wait, and unread messages become a reset', withNats, async (t) => {
  const { service, send, next, ended } = await session(t, { window: 2600 });
  let sent = 0;
  while (service.trySend(Buffer.alloc(900))) sent++;
  // 900 + 256 each: for the third one, less than the 1,000 + 256 of the longest piece are left.
  assert.equal((await next()).body.length, 900);
  assert.equal((await next()).body.length, 900);
  const third = next();
  assert.equal(await Promise.race([third, pause(200)]), undefined);
  send(frame(CREDIT, 1, number64(4000)));
  assert.equal((await third).number, 3);
  send(frame(RESET, 0, '{"code":"ECONNRESET","reason":"test"}'));
  await ended();
  assert.ok(sent > 4);
  await assert.rejects(service.receiveMessage(), { code: 'ECONNRESET' });
});

test('silence ends the session within the limit', withNats, async (t) => {
  const { service, next, ended } = await session(t, { heartbeatEvery: 100, deadAfter: 500 });
  const start = performance.now();
  const { reason, code } = await ended();
  assert.ok(performance.now() - start < 500 + 1000);
  assert.equal(code, 'ECONNRESET');
  assert.match(reason, /nothing was heard/);
  assert.equal((await next()).type, RESET);
  await assert.rejects(service.receiveMessage(), { code: 'EOF' });
});

test('requests that are not of a bridge are refused', withNats, async (t) => {
  const { url } = await startNats(t);
  const servers = url.replace('nats://', '');
  const events: LogEvent[] = [];
  const bridge = await serveOverNats({
    subject: 'by.hand',
    address: `${scratchDirectory(t)}/service`,
    nats: { servers },
    log: (event) => events.push(event),
  });
  const nats = await connectNats({ servers });
  t.after(async () => {
    await nats.close();
    await bridge.close();
  });
  const refusalOf = async (data: Uint8Array | string) => {
    const answer = Buffer.from((await nats.request('by.hand', data)).data);
    assert.equal(answer[0], REFUSE);
    return JSON.parse(String(answer.subarray(8)));
  };
  const expected = (reason: string) => ({ code: 'EPROTO', reason, retry: false });
  assert.deepEqual(await refusalOf('hello'), expected('a frame of 5 bytes'));
  assert.deepEqual(await refusalOf(frame(OPEN, 0, 'x')), expected('a body that is not JSON'));
  assert.deepEqual(
    await refusalOf(frame(OPEN, 0, '{"version":2}')),
    expected('version 2 of the protocol, not 1'),
  );
  assert.deepEqual(
    await refusalOf(
      frame(
        OPEN,
        0,
        '{"version":1,"window":9999,"piece":1024,"deadAfter":999,"session":"a","toClient":"all.>","client":{}}',
      ),
    ),
    expected('toClient is "all.>"'),
  );
  assert.equal(events.filter(({ event }) => event === 'error').length, 4);
});

test('a client does not wait for a bridge that does not answer', withNats, async (t) => {
  const { url } = await startNats(t);
  const servers = url.replace('nats://', '');
  const nats = await connectNats({ servers });
  let requests = 0;
  nats.subscribe('silent', { callback: () => void requests++ });
  await nats.flush();
  const address = `${scratchDirectory(t)}/clients`;
  const events: LogEvent[] = [];
  const bridge = await joinOverNats({
    subject: 'silent',
    address,
    heartbeatEvery: 100,
    nats: { servers },
    log: (event) => events.push(event),
  });
  t.after(async () => {
    await nats.close();
    await bridge.close();
  });
  const client = await connect(address);
  await client.send('hello');
  await assert.rejects(client.receiveMessage(), { code: 'ECONNRESET' });
  client.close();
  assert.equal(requests, 3);
  const refused = events.find(({ event }) => event === 'refused');
  assert.equal(refused?.event === 'refused' && refused.code, 'ETIMEDOUT');
  assert.equal(bridge.counters.refused, 1);
});
