/** A listening server is handed to its successor under load, without a refused or reset connection. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect as connectSeqpacket } from 'seqpacket';
import { Page } from '../support/documentation.js';
import { scratchPath } from '../support/scratch.js';

const program = fileURLToPath(new URL('../support/hot-restart-server.js', import.meta.url));

function start(control: string, name: string, role: 'first' | 'successor'): ChildProcess {
  const child = spawn(process.execPath, [program, control, name, role], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  after(() => child.kill('SIGKILL'));
  return child;
}

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('who?'));
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });
}

test('1,000 connections go to one server or its successors; none is refused or reset', async () => {
  const control = scratchPath();
  const generations = ['first', 'second', 'third'];
  const first = start(control, 'first', 'first');
  const [line] = await once(first.stdout!, 'data');
  const { port } = JSON.parse(String(line));

  const CLIENTS = 20;
  const PER_GENERATION = 400;
  const answers: string[] = [];
  let running = true;
  const load = Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (running) answers.push(await ask(port));
    }),
  );
  const answered = async (count: number) => {
    for (const goal = answers.length + count; answers.length < goal; ) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };

  let current = first;
  await answered(PER_GENERATION);
  for (const name of generations.slice(1)) {
    const exit = once(current, 'exit');
    const successor = start(control, name, 'successor');
    await once(successor.stdout!, 'data');
    assert.deepEqual(await exit, [0, null]);
    await answered(PER_GENERATION);
    current = successor;
  }
  running = false;
  await load;

  assert.ok(answers.length >= 1000);
  const counts = new Map(generations.map((name) => [name, answers.filter((each) => each === name).length]));
  const known = [...counts.values()].reduce((sum, count) => sum + count);
  assert.equal(known, answers.length, JSON.stringify([...counts]));
  for (const [name, count] of counts) assert.ok(count > 0, `${name} answered nobody`);
});

interface Progress {
  answers: Record<string, number>;
  failures: string[];
  connections: number;
}

/** Keep-alive clients in another process, and their last report. */
function startLoad(port: number, clients: number) {
  const generator = fileURLToPath(new URL('../support/keep-alive-load.js', import.meta.url));
  const child = spawn(process.execPath, [generator, String(port), String(clients)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  after(() => child.kill('SIGKILL'));
  let progress: Progress = { answers: {}, failures: [], connections: 0 };
  createInterface({ input: child.stdout }).on('line', (line) => {
    progress = JSON.parse(line);
  });
  return {
    async until(isSo: (progress: Progress) => boolean): Promise<void> {
      while (!isSo(progress)) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async end(): Promise<Progress> {
      child.stdin.end();
      assert.deepEqual(await once(child, 'close'), [0, null]);
      return progress;
    },
  };
}

const guide = new Page('docs/guide/hot-restart.md');

test('the HTTP server of the guide is replaced four times under keep-alive load; no request fails', {
  timeout: 60_000,
}, async (t) => {
  const CLIENTS = 20;
  const PER_VERSION = 150;
  const versions = ['first', 'second', 'third', 'fourth', 'fifth'];
  let current = guide.start(t, 'server.mjs', [versions[0]!]);
  await current.until(() => current.printed !== '');
  const port = Number(current.printed);
  const load = startLoad(port, CLIENTS);
  await load.until(({ answers }) => (answers['first'] ?? 0) >= PER_VERSION);

  for (const version of versions.slice(1)) {
    const successor = guide.start(t, 'server.mjs', [version]);
    await successor.until(() => successor.printed !== '');
    assert.equal(Number(successor.printed), port);
    await current.output;
    assert.equal(current.said, '');
    await load.until(({ answers }) => (answers[version] ?? 0) >= PER_VERSION);
    current = successor;
  }

  const { answers, failures, connections } = await load.end();
  assert.deepEqual(failures, []);
  assert.deepEqual(Object.keys(answers), versions);
  const requests = Object.values(answers).reduce((sum, count) => sum + count);
  assert.ok(connections < requests / 2, `${requests} requests, ${connections} connections: not kept alive`);
  await current.stop();
});

test('a successor that fails before it listens leaves the server as it was', {
  timeout: 30_000,
}, async (t) => {
  const control = guide.here('/tmp/restart.socket');
  const server = guide.start(t, 'server.mjs', ['first']);
  await server.until(() => server.printed !== '');
  const port = Number(server.printed);
  const failing = await connectSeqpacket(control);
  const { fds } = await failing.receiveMessage({ maxFds: 2 });
  for (const fd of fds) fd.close();
  failing.close();
  await server.until(() => server.said.includes("code: 'EOF'"));
  const successor = guide.start(t, 'server.mjs', ['second']);
  await successor.until(() => successor.printed !== '');
  assert.equal(Number(successor.printed), port);
  await server.output;
  const load = startLoad(port, 1);
  await load.until(({ answers }) => (answers['second'] ?? 0) > 0);
  assert.deepEqual(Object.keys((await load.end()).answers), ['second']);
  await successor.stop();
});
