/** A reader that does not read: memory stays flat, and the server cuts no bridge off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './support/bridges.js';
import { startNats, withNats } from './support/nats-server.js';
import { pause, Running, scratchDirectory, supportFile } from './support/programs.js';

const seconds = Number(process.env['SEQPACKET_BRIDGE_SLOW_SECONDS'] ?? 5);
const SESSIONS = 8;
const MEBIBYTE = 1024; // In KiB.

test(`${SESSIONS} clients do not read for ${seconds} s`, { ...withNats, timeout: 600_000 }, async (t) => {
  const directory = scratchDirectory(t);
  // Half of the default, so that too much on the way shows soon.
  const nats = await startNats(t, { configuration: 'max_pending: 33554432' });
  const service = new Running(t, 'python3', [supportFile('pour.py'), `${directory}/service`]);
  await service.prints('listening');
  const serve = await start(t, 'serve', nats.url, `${directory}/service`);
  const join = await start(t, 'join', nats.url, `${directory}/clients`);
  const clients = Array.from(
    { length: SESSIONS },
    () => new Running(t, 'python3', [supportFile('slow.py'), `${directory}/clients`, String(seconds)]),
  );
  await join.until('opened', SESSIONS);
  await pause(seconds * 400);
  const before = [serve, join].map(({ residentKilobytes }) => residentKilobytes);
  await pause(seconds * 500);
  const after = [serve, join].map(({ residentKilobytes }) => residentKilobytes);
  t.diagnostic(`resident KiB: ${before} -> ${after}`);
  for (const [index, size] of after.entries()) {
    assert.ok(size < 300 * MEBIBYTE, `${size} KiB`);
    assert.ok(size < (before[index] ?? 0) + 20 * MEBIBYTE, `${before[index]} -> ${size} KiB`);
  }
  // After the pause each client reads on, without a gap.
  for (const client of clients) assert.match(await client.done(), /^read \d+\n$/);
  for (const bridge of [serve, join]) {
    assert.deepEqual(bridge.of('disconnected'), []);
    assert.equal(bridge.isOver, false);
  }
  assert.ok(join.of('closed').every(({ reason }) => !/nothing was heard/.test(reason)));
});
