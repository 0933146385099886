/** What keeps a process alive: operations that wait on a channel, unless it is unreferenced. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';

/** Whether a process is still there after its event loop had nothing to do. */
function isAlive(script: string): Promise<boolean> {
  const program = `
    import { pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    const [a, b] = await Promise.all(pair().map((socket) => shareMemory(socket, { bytes: 4096 })));
    // What is forgotten is collected, and closed: that would end the waiting.
    globalThis.keep = [a, b];
    ${script}
    // Unreferenced: it fires only if something else keeps the process alive.
    setTimeout(() => process.exit(7), 300).unref();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (code === 7 || code === 0) resolve(code === 7);
      else reject(new Error(`ended with ${signal ?? code}`));
    });
  });
}

const fill = 'while (a.trySend(Buffer.alloc(56)));';
const fillSocket = "a.socket.setOption('sendBufferSize', 1); while (a.trySend('x', [0]));";
const ignored = '.catch(() => {});';

const SCRIPTS: Readonly<Record<string, [string, boolean]>> = {
  'a message that is not received': ["a.trySend('x', [0]);", false],
  'a receive that waits': ['a.receiveMessage();', true],
  'a send that waits': [`${fill} a.send('x');`, true],
  'a send that waits for room in the socket': [`${fillSocket} a.sendWithFds('x', [0]);`, true],
  'a receive on a channel that was unreferenced': ['a.receiveMessage(); a.unref();', false],
  'a receive on a channel that is referenced again': ['a.unref().receiveMessage(); a.ref();', true],
  'a send on an unreferenced channel': [`a.unref(); ${fill} a.send('x');`, false],
  'a send that waited and was sent, and a receive that was served': [
    `${fill} const s = a.send('x'); for (let left = 65; left > 0; ) left -= (await b.receiveMany()).length; await s;`,
    false,
  ],
  'operations that were cancelled': [
    `${fill} a.send('x')${ignored} a.receiveMessage()${ignored} a.cancel();`,
    false,
  ],
  'a send for which the socket had no room, and that was aborted': [
    `${fillSocket} const c = new AbortController();
    a.sendWithFds('x', [0], { signal: c.signal })${ignored} setTimeout(() => c.abort(), 10);`,
    false,
  ],
};

describe('processes', { concurrency: 4 }, () => {
  for (const [what, [script, alive]] of Object.entries(SCRIPTS)) {
    test(`kept alive by ${what}: ${alive ? 'yes' : 'no'}`, async () => {
      assert.equal(await isAlive(script), alive);
    });
  }
});
