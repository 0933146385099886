/** Several copies of the library in one thread, as bundles and test runners make them. As a worker: talks over two. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isMainThread, workerData } from 'node:worker_threads';

export type Library = typeof import('seqpacket');

const require = createRequire(import.meta.url);

/** A copy of its own: the modules of the library are loaded anew, as after `jest.resetModules()`. */
export function freshCopy(): Library {
  const face = require.resolve('seqpacket');
  const directory = join(face, '..');
  for (const file of Object.keys(require.cache)) {
    // What jest keeps, too: its own registry holds modules, and Node.js's cache the binaries.
    if (file.startsWith(directory) && !file.endsWith('.node')) delete require.cache[file];
  }
  return require(face) as Library;
}

/** A bundle of the library in one file. */
export function bundledCopy(file: string): Library {
  return require(file) as Library;
}

/**
 * Talks over sockets of each copy in turn: all wait for readiness at the same time, and each message carries a
 * descriptor of a file that says to which of them it belongs.
 */
export async function converse(copies: readonly Library[], directory: string): Promise<void> {
  const pairs = copies.map(({ pair }) => pair());
  for (let round = 0; round < 20; round++) {
    const signal = AbortSignal.timeout(10_000);
    const received = pairs.map(([, there]) => there.receiveMessage({ maxFds: 2, signal }));
    // Now all of them wait.
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const [index, [here]] of pairs.entries()) {
      const name = join(directory, `of-copy-${index}`);
      writeFileSync(name, `copy ${index}, round ${round}`);
      const fd = openSync(name, 'r');
      await here.sendWithFds(Buffer.from(`to ${index}`), index % 2 === 0 ? [fd] : [fd, fd]);
      closeSync(fd);
    }
    for (const [index, message] of (await Promise.all(received)).entries()) {
      assert.equal(String(message.data), `to ${index}`);
      assert.equal(message.fds.length, index % 2 === 0 ? 1 : 2);
      for (const fd of message.fds) {
        assert.equal(readFileSync(String(fd), 'utf8'), `copy ${index}, round ${round}`);
        fd.close();
      }
    }
    // A message without descriptors comes with none, whatever came last to another copy.
    for (const [here, there] of pairs) {
      here.trySend(Buffer.from('none'));
      const { fds, controlTruncated } = await there.receiveMessage({ maxFds: 2 });
      assert.deepEqual({ fds, controlTruncated }, { fds: [], controlTruncated: false });
    }
  }
  for (const [here, there] of pairs) {
    here.close();
    there.close();
  }
}

if (!isMainThread && workerData?.directory !== undefined) {
  await converse([freshCopy(), freshCopy()], workerData.directory);
}
