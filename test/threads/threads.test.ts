/** Everything works in worker threads, in any number of them, however they end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { listeningAt, receiveText } from '../support/sockets.js';

const prelude = `
  const { SeqpacketAcceptor, SeqpacketSocket, FileDescriptor } = require('seqpacket');
  const { parentPort, workerData } = require('node:worker_threads');
`;

function worker(script: string, workerData?: unknown): Worker {
  return new Worker(`${prelude}(async () => { ${script} })();`, { eval: true, workerData });
}

async function exitOf(started: Worker): Promise<number> {
  const [code] = await once(started, 'exit');
  return code;
}

/** The descriptors that are ours: sockets, files and devices, without what Node.js opens for workers. */
function ownDescriptors(): string[] {
  return [...openDescriptors().values()].filter((name) => /socket|\/dev\/null/.test(name)).sort();
}

test('threads talk with each other', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const clients = Array.from({ length: 8 }, (_, index) =>
    worker(
      `const socket = new SeqpacketSocket();
       await socket.connect(workerData.path);
       await socket.send(Buffer.from('thread ' + workerData.index));
       const buffer = Buffer.alloc(100);
       parentPort.postMessage(buffer.toString('utf8', 0, await socket.receive(buffer)));
       socket.close();`,
      { path, index },
    ),
  );
  const answers = clients.map(async (client) => (await once(client, 'message'))[0]);
  const exits = clients.map(exitOf);
  for (const _ of clients) {
    using server = await acceptor.accept();
    await server.send(Buffer.from((await receiveText(server)).toUpperCase()));
  }
  assert.deepEqual(
    (await Promise.all(answers)).sort(),
    clients.map((_, index) => `THREAD ${index}`),
  );
  assert.deepEqual(new Set(await Promise.all(exits)), new Set([0]));
});

test('a socket is handed to another thread by its descriptor', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const fd = a.release().detach();
  const heir = worker(
    `const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData));
     await socket.send(Buffer.from('from the other thread'));
     socket.close();`,
    fd,
  );
  assert.equal(await receiveText(b), 'from the other thread');
  assert.equal(await exitOf(heir), 0);
  b.close();
});

const busy = `
  const path = '\\0seqpacket-thread-' + process.pid + '-' + require('node:worker_threads').threadId;
  const keep = globalThis.keep = [];
  const acceptor = new SeqpacketAcceptor(); acceptor.open(); acceptor.bind(path); acceptor.listen(0);
  keep.push(acceptor.accept());
  for (let i = 0; i < 5; i++) {
    const [a, b] = SeqpacketSocket.pair();
    keep.push(a, b, FileDescriptor.adopt(require('node:fs').openSync('/dev/null')));
    a.receive(Buffer.alloc(10)).catch(() => {});
    for (let j = 0; j < 400; j++) b.sendWithFds(Buffer.alloc(64), [a, 0]).catch(() => {});
    const client = new SeqpacketSocket(); keep.push(client);
    client.connect(path).catch(() => {});
  }
`;
const endings: Record<string, [string, (started: Worker) => Promise<unknown>]> = {
  'terminated while operations wait': [
    `${busy} parentPort.postMessage('ready');`,
    async (started) => {
      await once(started, 'message');
      return started.terminate();
    },
  ],
  'terminated at any moment': [
    `for (;;) { ${busy.replaceAll('const path', 'var path')} for (const each of keep) each.close?.(); await 0; }`,
    async (started) => {
      await once(started, 'online');
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      return started.terminate();
    },
  ],
  'terminated while they hand descriptors over': [
    `for (;;) {
       const [a, b] = SeqpacketSocket.pair();
       const again = new SeqpacketSocket(a.release());
       b.sendWithFds(Buffer.from('long'), [0, 1]);
       await again.receive(Buffer.alloc(1)).catch(() => {});
       for (const fd of (await again.receiveWithFds(Buffer.alloc(4), 2)).fds) fd.close();
       again.close();
       b.close();
     }`,
    async (started) => {
      await once(started, 'online');
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 30));
      return started.terminate();
    },
  ],
  'ended by process.exit': [`${busy} process.exit(3);`, exitOf],
  'ended by an exception': [
    `${busy} setImmediate(() => { throw new Error('on purpose'); });`,
    (started) => once(started, 'error'),
  ],
  'out of work with sockets left open': [
    `const [a, b] = SeqpacketSocket.pair(); globalThis.keep = [a, b]; await b.send(Buffer.alloc(1));`,
    exitOf,
  ],
};
/** More of them in .ci/run, which raises the odds of a rare moment. */
const TIMES = Number(process.env['SEQPACKET_THREADS'] ?? 10);
for (const [ending, [script, end]] of Object.entries(endings)) {
  test(`${TIMES} threads ${ending} leave nothing behind`, async () => {
    const before = ownDescriptors();
    for (let i = 0; i < TIMES; i += 2) {
      await Promise.all(
        [0, 1].map(async () => {
          const started = worker(script);
          started.on('error', () => undefined);
          await end(started);
          if (started.threadId !== -1) await once(started, 'exit').catch(() => undefined);
        }),
      );
    }
    assert.deepEqual(ownDescriptors(), before);
  });
}
