/** A process that is killed while it writes leaves whole messages only. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, type SharedChannel, shareMemory } from 'seqpacket';
import { allUnmapped } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { scratchDirectory } from '../support/scratch.js';

/** More of them in .ci/run. */
const ROUNDS = Number(process.env['SEQPACKET_KILLS'] ?? 3);
const CHANNELS = 4;
const BYTES = 65_536;

/** Writes messages with a number, a checksum and random contents, in all ways, as fast as it can. */
const WRITER = `
  import { createHash, randomBytes } from 'node:crypto';
  const path = process.argv[2];
  const random = randomBytes(${BYTES});
  const message = (number) => {
    const length = 24 + (number % 5 === 0 ? Math.random() * ${BYTES / 2 - 32} : Math.random() * 300);
    const data = Buffer.from(random.subarray(0, length));
    data.writeUInt32LE(number, 20);
    createHash('sha1').update(data.subarray(20)).digest().copy(data);
    return data;
  };
  async function write() {
    const channel = await shareMemory(await connect(path), { bytes: ${BYTES} });
    for (let number = 0; ; ) {
      const way = number % 4;
      if (way === 0) await channel.send(message(number++));
      else if (way === 1) await channel.sendMany([message(number++), message(number++), message(number++)]);
      else if (way === 2) await channel.sendWithFds(message(number++), [0]);
      else {
        const data = message(number);
        await channel.wait('write', { bytes: data.length });
        const lease = channel.lease(data.length);
        data.copy(lease.data);
        lease.send();
        number++;
      }
    }
  }
  for (let i = 0; i < ${CHANNELS}; i++) write();`;

/** Receives to the end of file. Returns the number of messages. */
async function receiveAll(channel: SharedChannel): Promise<number> {
  let count = 0;
  for await (const data of channel) {
    const digest = createHash('sha1').update(data.subarray(20)).digest();
    assert.ok(data.subarray(0, 20).equals(digest), `message ${count} of ${data.length} bytes`);
    assert.equal(data.readUInt32LE(20), count++);
  }
  channel.close();
  return count;
}

test(`${ROUNDS} processes are killed while they write`, async (t) => {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  const file = `${directory}/writer.mjs`;
  const library = new URL('../../../dist/index.mjs', import.meta.url);
  writeFileSync(file, `import { connect, shareMemory } from '${library}';\n${WRITER}`);
  using server = listen(path);
  let before: number | undefined;
  let received = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const child = fork(file, [path]);
    t.after(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const all: Promise<number>[] = [];
    for (let i = 0; i < CHANNELS; i++) {
      all.push(receiveAll(await shareMemory(await server.accept(), { bytes: 4096 })));
    }
    await sleep(30 + Math.random() * 70);
    child.kill('SIGKILL');
    for (const count of await Promise.all(all)) received += count;
    await closed;
    before ??= openDescriptors().size;
    assert.ok(openDescriptors().size <= before);
  }
  t.diagnostic(`${received} messages`);
  assert.ok(received > ROUNDS * CHANNELS);
  await allUnmapped();
});
