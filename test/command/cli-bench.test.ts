/** `seqpacket bench`: figures, and a histogram. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from 'seqpacket';
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
