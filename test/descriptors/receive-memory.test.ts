/** The memory that messages are received into: how much is kept, and what happens where there is none. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/documentation.js';
import { missing } from '../support/programs.js';
import { socketPair } from '../support/sockets.js';

const SIZES = ['Rss', 'AnonHugePages'] as const;

/** Kibibytes of the area that batches are received into: the largest mapping without a file. */
function batchArea(): Record<'size' | (typeof SIZES)[number], number> & { flags: string } {
  const mappings = readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const numberIn = (text: string, name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1]);
  const areas = mappings
    .filter((text) => /^\S+ rw-p 00000000 00:00 0 *$/m.test(text) && numberIn(text, 'Size') > 280_000)
    .map((text) => ({
      size: numberIn(text, 'Size'),
      Rss: numberIn(text, 'Rss'),
      AnonHugePages: numberIn(text, 'AnonHugePages'),
      flags: /^VmFlags: (.*)$/m.exec(text)?.[1] ?? '',
    }));
  return areas.find(({ size }) => size < 300_000) ?? assert.fail('There is no area for batches');
}

test('long batches leave at most two mebibytes in memory', async () => {
  using ends = socketPair();
  ends.a.setOption('sendBufferSize', 4 << 20);
  // Of every shape: the long message is in another slot each time.
  for (let round = 0; round < 64; round++) {
    const messages = Array.from({ length: 8 }, (_, index) =>
      Buffer.alloc(index === round % 8 ? 30_000 : 100),
    );
    await ends.a.sendMany(messages);
    for (let received = 0; received < messages.length; ) received += (await ends.b.receiveMany()).length;
  }
  assert.ok(batchArea().Rss <= 2048, `${batchArea().Rss} KiB`);
});

test('a batch of short messages takes no huge pages', async () => {
  using ends = socketPair();
  await ends.a.sendMany(Array.from({ length: 64 }, () => Buffer.alloc(100)));
  await ends.b.receiveMany();
  assert.match(batchArea().flags, /\bnh\b/);
});

test('receiveMany works where memory is limited, as receive does', {
  // The sanitizer reserves more than any limit.
  skip: process.env['SEQPACKET_SANITIZED'] !== undefined || missing('prlimit'),
}, () => {
  const script = `
    const { SeqpacketSocket } = require('seqpacket');
    (async () => {
      const [a, b] = SeqpacketSocket.pair();
      await a.sendMany(['one', 'two']);
      const received = [];
      while (received.length < 2) received.push(...await b.receiveMany());
      console.log(String(received));
    })();
  `;
  const node = [process.execPath, '--max-old-space-size=64', '-e'];
  const options = { cwd: root, encoding: 'utf8' } as const;
  // How much it needs depends on the version of Node.js; the area for batches would need 288 MiB more.
  const used = `require('seqpacket').SeqpacketSocket.pair();
    console.log(/^VmData:\\s+(\\d+)/m.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1]);`;
  const kilobytes = Number(spawnSync(node[0] as string, [...node.slice(1), used], options).stdout);
  const limit = `--data=${1024 * kilobytes + 150_000_000}`;
  const { stdout, stderr } = spawnSync('prlimit', [limit, ...node, script], options);
  assert.equal(stdout, 'one,two\n', stderr);
});

test('a message that is longer than all memory for it is an error, not cut', {
  skip: missing('cc'),
}, async (t) => {
  // The C layer as it is, with an area so small that a message can be longer.
  const directory = mkdtempSync(join(tmpdir(), 'seqpacket-small-'));
  t.after(() => rmSync(directory, { recursive: true }));
  cpSync(`${root}dist`, `${directory}/dist`, { recursive: true });
  cpSync(`${root}package.json`, `${directory}/package.json`);
  mkdirSync(`${directory}/build`);
  const build = `
    import { compile, variants } from '${root}scripts/native.mjs';
    compile([...variants.release, '-DLONGEST_MESSAGE=8192'], '${directory}/build/seqpacket.node');
  `;
  const built = spawnSync(process.execPath, ['--input-type=module', '-e', build], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const script = `
    const { SeqpacketSocket } = require('${directory}/dist/index.js');
    (async () => {
      const [a, b] = SeqpacketSocket.pair();
      const buffer = Buffer.alloc(10);
      const receives = [() => b.receive(buffer), () => b.receiveMessage(), () => b.receiveMany(), () => b[Symbol.asyncIterator]().next()];
      for (const receive of receives) {
        await a.send(Buffer.alloc(150_000));
        await a.send('next');
        console.log(await receive().then(() => 'cut', ({ code }) => code));
        console.log(String(buffer.subarray(0, await b.receive(buffer))));
      }
    })();
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(stdout, 'EMSGSIZE\nnext\n'.repeat(4), stderr);
});
