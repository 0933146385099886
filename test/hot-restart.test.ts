/** A listening TCP server is handed to a successor under load, without one refused or reset connection. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchPath } from './support/scratch.js';

const program = fileURLToPath(new URL('./support/hot-restart-server.js', import.meta.url));

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
