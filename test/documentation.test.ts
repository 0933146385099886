/** The programs in README and docs run as they stand there. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from './support/programs.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Inside the package, so that they find it by its name. */
const directory = `${root}build/documentation`;

const documents = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)];
const programs = new Map<string, string>();
for (const document of documents) {
  const text = readFileSync(root + document, 'utf8');
  for (const [, name, code] of text.matchAll(/^```js\n\/\/ (\S+\.mjs)\n(.*?)^```$/gms)) {
    assert.equal(programs.has(name!), false, `${name} occurs twice`);
    programs.set(name!, code!);
  }
}

const ran = new Set<string>();

before(() => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, code] of programs) writeFileSync(`${directory}/${name}`, code);
});

after(() => rmSync(directory, { recursive: true, force: true }));

function start(name: string): { child: ChildProcess; output: Promise<string> } {
  ran.add(name);
  const child = spawn(process.execPath, [`${directory}/${name}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return {
    child,
    output: once(child, 'close').then(([code]) => `${text}${code === 0 ? '' : `exit ${code}`}`),
  };
}

/** Runs a server until a client is done with it, and gives what the client printed. */
async function together(server: string, client: string, socket: string): Promise<string> {
  rmSync(socket, { force: true });
  const { child } = start(server);
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 5));
  const output = await start(client).output;
  child.kill();
  await once(child, 'close');
  rmSync(socket, { force: true });
  return output;
}

function lines(name: string): number {
  return programs.get(name)!.trim().split('\n').filter(Boolean).length;
}

test('the quick start of the README', async () => {
  const output = await together('server.mjs', 'client.mjs', '/tmp/greeter.socket');
  assert.equal(output, `Hello Ada, user ${process.getuid?.()}\n`);
  assert.ok(lines('server.mjs') <= 10, 'ten lines of server');
  assert.ok(lines('client.mjs') <= 5, 'five lines of client');
});

test('migrating from node:net: before and after do the same', async () => {
  assert.equal(await together('net-server.mjs', 'net-client.mjs', '/tmp/values-net.socket'), 'green\n');
  assert.equal(
    await together('seqpacket-server.mjs', 'seqpacket-client.mjs', '/tmp/values.socket'),
    'green\n',
  );
});

test('a child process with a socket', { skip: missing('python3') }, async () => {
  assert.equal(await start('parent.mjs').output, 'HELLO\n');
});

test('restarting a server without losing a connection', async () => {
  rmSync('/tmp/restart.socket', { force: true });
  const old = start('old.mjs');
  const [port] = await once(old.child.stdout!, 'data');
  const ask = async () => {
    const socket = connectTcp(Number(port), '127.0.0.1');
    const [answer] = await once(socket, 'data');
    return String(answer);
  };
  assert.equal(await ask(), 'old');
  while (!existsSync('/tmp/restart.socket')) await new Promise((resolve) => setTimeout(resolve, 5));
  const successor = start('new.mjs');
  await once(successor.child.stdout!, 'data');
  assert.match(await old.output, /^\d+\n$/);
  assert.equal(await ask(), 'new');
  successor.child.kill();
});

test('every program in README and docs was run', { skip: missing('python3') }, () => {
  assert.deepEqual([...ran].sort(), [...programs.keys()].sort());
});

test('every link in README and docs leads somewhere', () => {
  for (const document of [...documents, 'CONTRIBUTING.md', 'CHANGELOG.md']) {
    const text = readFileSync(root + document, 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      const base = document.startsWith('docs/') ? 'docs/' : '';
      assert.ok(existsSync(root + base + target), `${document}: ${target}`);
    }
  }
});
