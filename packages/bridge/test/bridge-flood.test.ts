/** Many messages with checksums in both directions at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAST, start } from './support/bridges.js';
import { startNats, withNats } from './support/nats-server.js';
import { Running, scratchDirectory, supportFile } from './support/programs.js';

const messages = Number(process.env['SEQPACKET_BRIDGE_MESSAGES'] ?? 20_000);

test(`${messages} messages with checksums in each direction`, {
  ...withNats,
  timeout: 600_000,
}, async (t) => {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const arrange = (role: string, address: string) =>
    new Running(t, 'python3', [supportFile('flood.py'), role, address, String(messages)]);
  const service = arrange('serve', `${directory}/service`);
  await service.prints('listening');
  await start(t, 'serve', nats.url, `${directory}/service`, { args: [...FAST, '--dead', '10'] });
  const join = await start(t, 'join', nats.url, `${directory}/clients`, { args: [...FAST, '--dead', '10'] });
  const client = arrange('join', `${directory}/clients`);
  assert.equal(await client.done(), `received ${messages}\n`);
  assert.equal(await service.done(), `listening\nreceived ${messages}\n`);
  const [closed] = await join.until('closed');
  assert.equal(closed?.reason, 'end of file');
  assert.equal(closed?.toService.messages, messages);
  assert.equal(closed?.toClient.messages, messages);
});
