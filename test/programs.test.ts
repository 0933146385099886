/** The demonstration and the examples do what they say. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

function run(program: string) {
  return promisify(execFile)(process.execPath, [`${root}build/${program}.js`]);
}

const outputs: Record<string, string> = {
  seed: 'a message\n',
  'acceptor-loop': 'ONE\nTWO\nTHREE\n',
  'descriptor-passing': 'read this\nread\n',
};

test('every example is tested here', () => {
  const names = readdirSync(`${root}examples`).map((name) => name.replace(/\.ts$/, ''));
  assert.deepEqual(names.sort(), Object.keys(outputs).sort());
});

for (const [name, expected] of Object.entries(outputs)) {
  test(`the example ${name} prints what it should`, async () => {
    const { stdout, stderr } = await run(`examples/${name}`);
    assert.equal(stdout, expected);
    assert.equal(stderr, '');
  });
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
