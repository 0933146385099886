/** A listening TCP server is handed to a successor under load, without one refused or reset connection. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchPath } from './support/scratch.js';

const program = fileURLToPath(new URL('./support/hot-restart-server.js', import.meta.url));

function start(control: string, name: string, role: 'first' | 'successor'): ChildProcess {
  return spawn(process.execPath, [program, control, name, role], { stdio: ['ignore', 'pipe', 'inherit'] });
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

  const TOTAL = 1000;
  const CLIENTS = 20;
  const answers: string[] = [];
  let asked = 0;
  const load = Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (asked < TOTAL) {
        asked++;
        answers.push(await ask(port));
      }
    }),
  );

  let current = first;
  for (const name of generations.slice(1)) {
    const ready = answers.length + TOTAL / 4;
    while (answers.length < Math.min(ready, TOTAL * 0.9))
      await new Promise((resolve) => setTimeout(resolve, 1));
    const exit = once(current, 'exit');
    const successor = start(control, name, 'successor');
    await once(successor.stdout!, 'data');
    assert.deepEqual(await exit, [0, null]);
    current = successor;
  }
  await load;
  answers.push(await ask(port));

  assert.equal(answers.length, TOTAL + 1);
  const counts = new Map(generations.map((name) => [name, answers.filter((each) => each === name).length]));
  assert.equal(
    [...counts.values()].reduce((sum, count) => sum + count),
    TOTAL + 1,
    JSON.stringify([...counts]),
  );
  for (const [name, count] of counts) assert.ok(count > 0, `${name} answered nobody`);
  current.kill();
});
