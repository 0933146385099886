/** Copies of the library in one thread know nothing of each other. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import * as seqpacket from 'seqpacket';
import { bundledCopy, converse, freshCopy } from '../support/copies.js';
import { openDescriptors } from '../support/descriptors.js';
import { scratchDirectory } from '../support/scratch.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('a copy that is loaded after the require cache was cleared leaves the first one working', async () => {
  const second = freshCopy();
  assert.notEqual(second.SeqpacketSocket, seqpacket.SeqpacketSocket);
  await converse([seqpacket, second, freshCopy()], scratchDirectory());
});

test('two bundles beside one directory of binaries work side by side', async () => {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'prebuilds'));
  copyFileSync(`${root}build/seqpacket.node`, join(directory, `prebuilds/linux-${process.arch}.node`));
  const bundles = ['one.cjs', 'two.cjs'].map((name) => join(directory, name));
  for (const outfile of bundles)
    buildSync({
      entryPoints: [`${root}dist/index.js`],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
    });
  for (const file of bundles) assert.ok(!readFileSync(file, 'utf8').includes(root), 'it stands alone');
  await converse(bundles.map(bundledCopy), directory);
});

/** Those that the library makes: what Node.js opens for workers comes and goes. */
function openSockets(): number {
  return [...openDescriptors().values()].filter((name) => name.startsWith('socket:')).length;
}

test('two copies in each of several workers', async () => {
  const before = openSockets();
  const file = new URL('../support/copies.js', import.meta.url);
  const workers = [0, 1, 2].map(() => new Worker(file, { workerData: { directory: scratchDirectory() } }));
  const exits = await Promise.all(workers.map((worker) => once(worker, 'exit')));
  assert.deepEqual(exits, [[0], [0], [0]]);
  assert.equal(openSockets(), before);
});
