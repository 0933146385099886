/** `seqpacket bench`: figures, and a histogram. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen, shareMemory } from 'seqpacket';
import { listening, run } from '../support/command.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };

test('bench measures with a process of its own', TIMEOUT, async (t) => {
  const { code, stdout } = await run(t, ['bench', '--duration', '0.1', '--size', '100']);
  assert.equal(code, 0);
  assert.match(stdout, /latency of [\d,]+ round trips\n {2}50 % [\d.]+ µs {3}90 % .* {3}99.9 % .* max/);
  assert.match(stdout, /^ +< \d+ µs +\d+\.\d\d % █{40}$/m);
  assert.match(stdout, /^ {2}[\d,]+ messages\/s, [\d.]+ MB\/s in each direction$/m);
});

test('bench measures an echo service, and gives the figures as JSON', TIMEOUT, async (t) => {
  const path = scratchPath();
  await listening(t, [path, '--exec', 'exec cat', '--exec-as', 'stdio']);
  const { code, stdout } = await run(t, ['bench', path, '--duration', '0.1', '--json']);
  assert.equal(code, 0);
  const { size, latencyMicroseconds: latency, throughput } = JSON.parse(stdout);
  assert.equal(size, 64);
  assert.ok(
    latency.min > 0 && latency.min <= latency.p50 && latency.p50 <= latency.p99 && latency.p99 <= latency.max,
  );
  assert.ok(latency.count > 0 && throughput.messages > 0);
});

test('bench reports that the service does not echo messages', TIMEOUT, async (t) => {
  const path = scratchPath();
  const acceptor = closing(t, listen(path));
  (async () => {
    for await (const socket of acceptor) {
      for await (const _ of socket) await socket.send(Buffer.from('something else'));
    }
  })();
  const { code, stderr } = await run(t, ['bench', path]);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'seqpacket: 14 bytes were received where 64 were sent: bench needs an echo service, which returns every message whole\n',
  );
});

test('bench measures shared memory with a process of its own', TIMEOUT, async (t) => {
  const { code, stdout } = await run(t, ['bench', '--shared-memory', '--duration', '0.1']);
  assert.equal(code, 0);
  assert.match(stdout, /^messages of 64 bytes through shared memory, echoed by a child process\n/);
  assert.match(stdout, /latency of [\d,]+ round trips\n/);
  assert.match(stdout, /^ {2}[\d,]+ messages\/s, [\d.]+ MB\/s in each direction$/m);
});

test('bench measures shared memory with messages that the socket could not send', TIMEOUT, async (t) => {
  const { code, stdout } = await run(t, [
    'bench',
    '--shared-memory',
    '--size',
    '1048576',
    '--duration',
    '0.1',
    '--json',
  ]);
  assert.equal(code, 0);
  const { size, sharedMemory, latencyMicroseconds, throughput } = JSON.parse(stdout);
  assert.deepEqual([size, sharedMemory], [1_048_576, true]);
  assert.ok(latencyMicroseconds.count > 0 && throughput.messages > 0);
});

test('bench measures an echo service that shares memory', TIMEOUT, async (t) => {
  const path = scratchPath();
  const acceptor = closing(t, listen(path));
  let echoed = 0;
  (async () => {
    const channel = closing(t, await shareMemory(await acceptor.accept()));
    for await (const message of channel) {
      await channel.send(message);
      echoed++;
    }
  })();
  const { code, stdout } = await run(t, ['bench', '--shared-memory', path, '--duration', '0.1', '--json']);
  assert.equal(code, 0);
  const { latencyMicroseconds: latency, throughput } = JSON.parse(stdout);
  assert.ok(echoed >= latency.count + throughput.messages, `${echoed} echoed`);
});

test('bench reports that the echo service does not share memory', TIMEOUT, async (t) => {
  const path = scratchPath();
  const acceptor = closing(t, listen(path));
  (async () => {
    for await (const socket of acceptor) {
      for await (const message of socket) await socket.send(message);
    }
  })();
  const { code, stderr } = await run(t, ['bench', '--shared-memory', path]);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `seqpacket: ${path} does not share memory: with --shared-memory, the echo service must call shareMemory, too\n`,
  );
});

test('bench reports that the service does not answer the attempt to share memory', TIMEOUT, async (t) => {
  const path = scratchPath();
  closing(t, listen(path));
  const { code, stderr } = await run(t, ['bench', '--shared-memory', path]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /does not share memory: with --shared-memory, the echo service must call shareMemory, too\n$/,
  );
});

test('bench reports that a message is too long for shared memory', TIMEOUT, async (t) => {
  const { code, stderr } = await run(t, ['bench', '--shared-memory', '--size', '600000000']);
  assert.equal(code, 2);
  assert.equal(stderr, 'seqpacket: a message of 600000000 bytes is too long: use a smaller --size\n');
});
