/** What keeps a process alive: operations that wait, unless they are told not to. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { scratchPath } from '../support/scratch.js';

/** Runs a script until it ends, or until it says that it is still there after its loop had nothing to do. */
function lifeOf(script: string): Promise<{ ended: boolean; output: string }> {
  const prelude = `
    import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
    const path = ${JSON.stringify(scratchPath())};
    const acceptor = new SeqpacketAcceptor();
    acceptor.open(); acceptor.bind(path); acceptor.listen(0);
    const [a, b] = SeqpacketSocket.pair();
    // What is forgotten is collected, and closed: that would end the waiting.
    globalThis.keep = [acceptor, a, b];
    // Unreferenced: it fires only if something else keeps the process alive.
    setTimeout(() => { console.log('alive'); process.exit(7); }, 150).unref();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', prelude + script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ ended: code !== 7, output }));
  });
}

const scripts: [string, string, boolean][] = [
  ['open sockets alone', '', false],
  ['a receive that waits', 'a.receive(Buffer.alloc(1));', true],
  ['an accept that waits', 'acceptor.accept();', true],
  [
    'a send that waits',
    'a.setOption("sendBufferSize", 4608); for (let i = 0; i < 300; i++) a.send(Buffer.alloc(64));',
    true,
  ],
  [
    'a connect that waits',
    'for (let i = 0; i < 3; i++) { const s = new SeqpacketSocket(); globalThis[i] = s; s.connect(path); }',
    true,
  ],
  [
    'a receive that waited and was served',
    'const r = a.receive(Buffer.alloc(1)); b.send(Buffer.alloc(1)); await r;',
    false,
  ],
  [
    'a receive that waited and was cancelled',
    'const r = a.receive(Buffer.alloc(1)).catch(() => {}); a.cancel(); await r;',
    false,
  ],
  ['a receive on an unreferenced socket', 'a.unref().receive(Buffer.alloc(1));', false],
  ['a receive on a socket unreferenced later', 'a.receive(Buffer.alloc(1)); a.unref();', false],
  ['a receive on a socket referenced again', 'a.unref(); a.receive(Buffer.alloc(1)); a.ref();', true],
  ['an accept on an unreferenced acceptor', 'acceptor.unref().accept();', false],
  [
    'a connect on an unreferenced socket',
    `for (let i = 0; i < 3; i++) { const s = new SeqpacketSocket(); globalThis[i] = s; s.unref().connect(path); }`,
    false,
  ],
  [
    'sockets that were closed while they waited',
    'a.receive(Buffer.alloc(1)).catch(() => {}); a.close();',
    false,
  ],
];

for (const [what, script, alive] of scripts) {
  test(`${what} ${alive ? 'keeps' : 'does not keep'} the process alive`, async () => {
    const { ended, output } = await lifeOf(script);
    assert.equal(ended, !alive, output);
  });
}
