/** The demonstration and the examples do what they say. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function run(program: string) {
  return promisify(execFile)(process.execPath, [`${root}build/${program}.js`]);
}

const outputs: Record<string, string> = {
  seed: 'a message\n',
  'acceptor-loop': 'ONE\nTWO\nTHREE\n',
  'descriptor-passing': 'read this\nread\n',
};

test('every example is tested here', () => {
  // `shared-memory` is tested by reference-peers.
  const entries = readdirSync(`${root}examples`).filter((name) => name !== 'shared-memory');
  const names = entries.map((name) => name.replace(/\.ts$/, ''));
  assert.deepEqual(names.sort(), Object.keys(outputs).sort());
});

for (const [name, expected] of Object.entries(outputs)) {
  test(`the example ${name} prints the expected output`, async () => {
    const { stdout, stderr } = await run(`examples/${name}`);
    assert.equal(stdout, expected);
    assert.equal(stderr, '');
  });
}

test('clients that leave early do not end the server of an example, and leave no descriptor open', async (t) => {
  const path = scratchPath();
  const server = spawn(process.execPath, [`${root}build/examples/acceptor-loop.js`, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => server.kill('SIGKILL'));
  let printed = '';
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  while (printed !== 'ONE\nTWO\nTHREE\n') await sleep(5);
  const openSockets = () =>
    readdirSync(`/proc/${server.pid}/fd`).filter((fd) => linkOf(`/proc/${server.pid}/fd/${fd}`) === 'socket')
      .length;
  const before = openSockets();
  for (let client = 0; client < 50; client++) {
    using socket = await connect(path);
    await socket.sendMany([Buffer.from('one'), Buffer.from('two')]);
  }
  // Clients are accepted in order: afterwards, all of them were.
  const socket = await connect(path);
  await socket.send(Buffer.from('still there'));
  assert.equal(String((await socket.receiveMessage()).data), 'STILL THERE');
  socket.close();
  for (const end = Date.now() + 5000; openSockets() > before && Date.now() < end; ) await sleep(10);
  assert.ok(openSockets() <= before);
  assert.equal(server.exitCode, null);
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path).split(':')[0]!;
  } catch {
    return ''; // It was closed meanwhile.
  }
}

test('the demonstration passes, and shows every line of the file', async () => {
  const { stdout, stderr } = await run('demo/demo');
  assert.equal(stderr, '');
  for (const line of readFileSync(`${root}LICENSE`, 'utf8').trim().split('\n')) {
    assert.ok(stdout.includes(`| ${line}\n`), line);
  }
  assert.match(stdout, new RegExp(`connected with process \\d+ of user ${process.getuid?.()}`));
  assert.match(stdout, /the same, line by line\n(.*\n)*All of it held/);
});
