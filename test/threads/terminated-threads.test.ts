/** A thread that is terminated in the middle of sending: what arrives is whole. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SeqpacketSocket } from 'seqpacket';
import { missing } from '../support/programs.js';

/** Messages of many parts: to read them takes long, so that termination comes in the middle of it. */
const PARTS = 100;
const LENGTH = 4 * PARTS;

/** What a worker does that gets one end of a pair. */
const STYLES = {
  send: `for (;;) await socket.send(parts);`,
  sendMany: `const messages = Array.from({ length: 10 }, () => parts); for (;;) await socket.sendMany(messages);`,
};

const PROGRAM = (style: string) => `
  const { FileDescriptor, SeqpacketSocket } = require('seqpacket');
  const { parentPort, workerData } = require('node:worker_threads');
  const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData));
  const parts = Array.from({ length: ${PARTS} }, () => Buffer.alloc(4, 1));
  parentPort.postMessage('ready');
  (async () => { ${style} })();
`;

/** Receives all that comes until the end, and returns the lengths that there were. */
async function lengthsUntilEnd(socket: SeqpacketSocket): Promise<Set<number>> {
  socket.setOption('emptyMessages', 'deliver');
  const lengths = new Set<number>();
  for await (const { length } of socket) lengths.add(length);
  return lengths;
}

for (const [name, style] of Object.entries(STYLES)) {
  test(`${name} sends whole messages or none when worker.terminate() interrupts it`, async () => {
    for (let round = 0; round < 8; round++) {
      const [a, b] = SeqpacketSocket.pair();
      const worker = new Worker(PROGRAM(style), { eval: true, workerData: a.release().detach() });
      const lengths = lengthsUntilEnd(b);
      await once(worker, 'message');
      await sleep(10 * Math.random());
      await worker.terminate();
      assert.deepEqual(
        [...(await lengths)].filter((length) => length !== LENGTH),
        [],
      );
      b.close();
    }
  });
}

test('process.exit() of the main thread does not cut the messages of a worker', {
  skip: missing('python3'),
}, () => {
  const receiver = `
    import socket, sys
    s = socket.socket(fileno=0)
    s.setsockopt(socket.SOL_SOCKET, 29, 1)
    bad = 0
    while True:
        data, control, flags, _ = s.recvmsg(1000, 100)
        if not data and not control: break
        if len(data) != ${LENGTH}: bad += 1
    print(bad)
  `.replaceAll('\n    ', '\n');
  const program = `
    const { Worker } = require('node:worker_threads');
    const { spawn } = require('node:child_process');
    const { pairForChild } = require('seqpacket');
    const [ours, theirs] = pairForChild();
    const python = spawn('python3', ['-c', ${JSON.stringify(receiver)}], { stdio: [theirs.fd, 'inherit', 'inherit'] });
    theirs.close();
    const worker = new Worker(${JSON.stringify(PROGRAM(STYLES.sendMany))}, { eval: true, workerData: ours.release().detach() });
    worker.once('message', () => setTimeout(() => process.exit(0), 10 * Math.random()));
  `;
  for (let round = 0; round < 4; round++) {
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    assert.equal(stdout, '0\n', stderr);
  }
});
