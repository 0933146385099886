/** Promise: in a worker, too, a number is closed once, regardless of its opener, and never another thread's file. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FileDescriptor, pair } from 'seqpacket';
import { isOpenDescriptor } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const prelude = `
  const { FileDescriptor, SeqpacketSocket, pair } = require('seqpacket');
  const { closeSync, openSync } = require('node:fs');
  const { once } = require('node:events');
  const { parentPort, workerData } = require('node:worker_threads');
  process.on('warning', (warning) => parentPort?.postMessage({ warning: warning.message }));
`;

function worker(script: string, workerData?: unknown): Worker {
  return new Worker(`${prelude}(async () => { ${script} })();`, { eval: true, workerData });
}

/** Opens files until one has the number; the others are closed again. */
function openAs(number: number): void {
  const others: number[] = [];
  let fd = openSync('/dev/null', 'r');
  for (; fd < number; fd = openSync('/dev/null', 'r')) others.push(fd);
  for (const each of others) closeSync(each);
  assert.equal(fd, number);
}

const closings: Record<string, string> = {
  'close()': 'descriptor.close();',
  'close() twice': 'descriptor.close(); descriptor.close();',
  using: 'descriptor[Symbol.dispose]();',
  'detach() and fs.closeSync': 'closeSync(descriptor.detach());',
  'detach(), adopt() and close()': 'FileDescriptor.adopt(descriptor.detach()).close();',
  'close() after it was sent': `
    const [a, b] = pair();
    await a.sendWithFds('x', [descriptor]);
    descriptor.close();
    const { fds } = await b.receiveMessage({ maxFds: 1 });
    fds[0].close();
    a.close();
    b.close();`,
  'close() after a duplicate was made': 'descriptor.dup().close(); descriptor.close();',
};
for (const [how, close] of Object.entries(closings)) {
  const files = how === 'close()' ? ['/dev/null', '/etc/hostname', '/tmp'] : ['/dev/null'];
  for (const file of files) {
    test(`a number of ${file} that fs.openSync gave in a worker, closed by ${how}, is not closed again`, async () => {
      const started = worker(
        `const number = openSync('${file}', 'r');
         const descriptor = FileDescriptor.adopt(number);
         ${close}
         parentPort.postMessage(number);
         await once(parentPort, 'message');`,
      );
      const [number] = await once(started, 'message');
      assert.equal(isOpenDescriptor(number), false);
      openAs(number);
      started.postMessage('go on');
      await once(started, 'exit');
      assert.equal(isOpenDescriptor(number), true, 'the end of the worker has closed it');
      closeSync(number);
    });
  }
}

test('one that is collected unclosed in a worker is not closed again', async () => {
  const started = worker(
    `let number;
     (() => { number = FileDescriptor.adopt(openSync('/dev/null', 'r')).fd; })();
     const warned = once(process, 'warning');
     const timer = setInterval(() => gc(), 10);
     await warned;
     clearInterval(timer);
     parentPort.postMessage(number);
     await once(parentPort, 'message');`,
  );
  let number: unknown;
  while (typeof number !== 'number') [number] = await once(started, 'message');
  openAs(number);
  started.postMessage('go on');
  await once(started, 'exit');
  assert.equal(isOpenDescriptor(number), true);
  closeSync(number);
});

test('a number from another thread is closed by its adopter, without a warning of Node.js', async () => {
  const [a, b] = pair();
  const numbers = [openSync('/dev/null', 'r'), openSync('/etc/hostname', 'r'), a.release().detach()];
  const started = worker(
    `for (const number of workerData) FileDescriptor.adopt(number).close();
     await new Promise(setImmediate);
     parentPort.postMessage('closed');`,
    numbers,
  );
  const [said] = await Promise.all([once(started, 'message'), once(started, 'exit')]);
  assert.deepEqual(said, ['closed']);
  assert.deepEqual(numbers.map(isOpenDescriptor), [false, false, false]);
  b.close();
});

test('a duplicate that is detached outlives the worker', async () => {
  const started = worker(
    `const descriptor = FileDescriptor.adopt(openSync('/etc/hostname', 'r'));
     parentPort.postMessage(descriptor.dup().detach());
     descriptor.close();`,
  );
  const [[number]] = await Promise.all([once(started, 'message'), once(started, 'exit')]);
  using descriptor = FileDescriptor.adopt(number);
  assert.equal(readFileSync(descriptor.fd, 'utf8'), readFileSync('/etc/hostname', 'utf8'));
});

test('other warnings get through while a number is closed in a worker', async () => {
  const started = worker(
    `const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
     const { emitWarning } = process;
     descriptor.close();
     if (process.emitWarning !== emitWarning) throw new Error('emitWarning was not restored');
     const gone = FileDescriptor.adopt(openSync('/dev/null', 'r'));
     closeSync(gone.fd);
     try { gone.close(); } catch ({ code, syscall }) { parentPort.postMessage({ code, syscall }); }
     process.emitWarning('heard');`,
  );
  const said: unknown[] = [];
  started.on('message', (message) => said.push(message));
  await once(started, 'exit');
  assert.deepEqual(said, [{ code: 'EBADF', syscall: 'close' }, { warning: 'heard' }]);
});

const ends = {
  'out of work': '',
  'by process.exit': 'process.exit();',
  'by an exception': `setImmediate(() => { throw new Error('on purpose'); });`,
};
for (const [how, end] of Object.entries(ends)) {
  test(`a descriptor left open in a worker that ends ${how} is closed once`, {
    skip: missing('strace'),
  }, () => {
    const log = scratchPath('trace');
    const inWorker = `${prelude}
      globalThis.kept = [FileDescriptor.adopt(openSync('/etc/hostname', 'r')), ...pair()];
      ${end}`;
    const script = `
      const { Worker } = require('node:worker_threads');
      new Worker(${JSON.stringify(inWorker)}, { eval: true }).on('error', () => {});
    `;
    const { stderr } = spawnSync(
      'strace',
      ['-f', '-y', '-o', log, '-e', 'trace=open,openat,close', process.execPath, '-e', script],
      { encoding: 'utf8', cwd: process.cwd() },
    );
    const calls = readFileSync(log, 'utf8').split('\n');
    const opened = calls.filter((call) => /open.*"\/etc\/hostname".* = \d/.test(call));
    assert.equal(opened.length, 1, stderr);
    const number = / = (\d+)/.exec(opened[0]!)?.[1];
    assert.equal(calls.filter((call) => call.includes(`close(${number}</etc/hostname>)`)).length, 1);
    assert.deepEqual(
      calls.filter((call) => /close\(.*EBADF/.test(call)),
      [],
    );
  });
}
