/**
 * Defects that were measured in other implementations, each with a test that shows its absence here: of
 * node-unix-socket 0.2.7 for Node.js, and of Emilua 0.6.0.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type FileDescriptor, listen, MessageFlag, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { fillBacklog, fillSendQueue, receiveText, settlesSoon, socketPair } from '../support/sockets.js';

function isCloseOnExec(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  return (Number.parseInt(flags ?? '0', 8) & 0o2000000) !== 0;
}

describe('node-unix-socket', () => {
  test('1: its sockets leak to child processes; ours are close-on-exec', async () => {
    using acceptor = listen(scratchPath());
    using ends = socketPair();
    for (const { fd } of [acceptor, ends.a, ends.b]) assert.equal(isCloseOnExec(fd), true);
  });

  test('2: queued writes call back out of order; ours settle in order', async () => {
    using ends = socketPair();
    const queued = await fillSendQueue(ends.a);
    const order: number[] = [];
    const sends = Array.from({ length: 12 }, (_, index) =>
      ends.a.send(Buffer.alloc(60_000)).then(() => order.push(index)),
    );
    for (let i = 0; i < queued + 12; i++) await ends.b.receive(Buffer.alloc(60_000));
    await Promise.all(sends);
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('3: an empty message ends its stream; in seqpacket messages still arrive', async () => {
    using ends = socketPair();
    await ends.a.send(Buffer.alloc(0));
    await ends.a.send(Buffer.from('later data'));
    await assert.rejects(ends.b.receive(Buffer.alloc(9)), { code: 'EOF' });
    assert.equal(await receiveText(ends.b), 'later data');
    ends.b.setOption('emptyMessages', 'deliver');
    await ends.a.send(Buffer.alloc(0));
    assert.equal(await ends.b.receive(Buffer.alloc(9)), 0);
  });

  test('4: all its abstract names collapse to one; ours are as they are given', async () => {
    using acceptor = listen(`\0seqpacket-name-one-${process.pid}`);
    using client = new SeqpacketSocket();
    await assert.rejects(client.connect(`\0totally-different-${process.pid}`), { code: 'ECONNREFUSED' });
    assert.ok(readFileSync('/proc/net/unix', 'utf8').includes(`@seqpacket-name-one-${process.pid}\n`));
    assert.ok(acceptor.isOpen);
  });

  test('5: a full backlog looks to it like a missing file; ours waits', async () => {
    const path = scratchPath();
    using acceptor = listen(path, { backlog: 0 });
    const queued = await fillBacklog(path);
    using client = new SeqpacketSocket();
    const connected = client.connect(path);
    assert.equal(await settlesSoon(connected), false);
    for (const _ of queued) (await acceptor.accept()).close();
    await connected;
    for (const each of queued) each.close();
  });

  test('6: EMFILE on accept raises 400,000 errors a second; ours rejects each accept once', () => {
    const script = `
      import { openSync, closeSync } from 'node:fs';
      import { listen, SeqpacketSocket } from 'seqpacket';
      const acceptor = listen(process.argv[1]);
      await new SeqpacketSocket().connect(process.argv[1]);
      const hoard = [];
      try { for (;;) hoard.push(openSync('/dev/null')); } catch {}
      let errors = 0;
      const accepted = acceptor.accept().catch((error) => { if (error.code === 'EMFILE') errors++; });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await accepted;
      for (const fd of hoard) closeSync(fd);
      console.log(errors, (await acceptor.accept()).isOpen);
      process.exit();
    `;
    const command = 'ulimit -n 60; exec "$0" --input-type=module -e "$1" "$2"';
    const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script, scratchPath()], {
      encoding: 'utf8',
    });
    assert.equal(stdout, '1 true\n', stderr);
  });

  test('7: terminating a second worker aborts its process; ours may all be terminated', async () => {
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(
        `const { SeqpacketSocket } = require('seqpacket');
         const [a, b] = globalThis.keep = SeqpacketSocket.pair();
         a.receive(Buffer.alloc(1)).catch(() => {});
         require('node:worker_threads').parentPort.postMessage('ready');`,
        { eval: true },
      );
      await new Promise((resolve) => worker.once('message', resolve));
      assert.equal(await worker.terminate(), 1);
    }
  });

  test('8: it copies every message into a zeroed 256 KiB buffer and cuts there; ours fills the caller’s', async () => {
    using ends = socketPair();
    ends.a.setOption('sendBufferSize', 1_000_000);
    const size = Math.min(300_000, Math.floor(ends.a.getOption('sendBufferSize') / 2));
    const before = process.memoryUsage().arrayBuffers;
    const data = Buffer.alloc(size, 1);
    const buffer = Buffer.alloc(size);
    for (let i = 0; i < 200; i++) {
      await ends.a.send(data);
      assert.equal(await ends.b.receive(buffer), size);
    }
    assert.ok(buffer.equals(data));
    assert.ok(process.memoryUsage().arrayBuffers - before < 3 * size);
  });
});

describe('Emilua', () => {
  test('receive ignores its flags; ours heeds them, also when it had to wait', async () => {
    using ends = socketPair();
    const buffer = Buffer.alloc(10);
    const peeked = ends.b.receive(buffer, { flags: MessageFlag.peek });
    await ends.a.send(Buffer.from('once'));
    assert.equal(await peeked, 4);
    assert.equal(await receiveText(ends.b), 'once');
  });

  test('40 bytes into a buffer of 16 lose 24 without an error; seqpacket reports EMSGSIZE and loses none', async () => {
    using ends = socketPair();
    await ends.a.send(Buffer.alloc(40, 'x'));
    await assert.rejects(ends.b.receive(Buffer.alloc(16)), { code: 'EMSGSIZE', messageSize: 40 });
    assert.equal(await receiveText(ends.b), 'x'.repeat(40));
  });

  test('a buffer of length 0 throws the message away; ours keeps it', async () => {
    using ends = socketPair();
    await ends.a.send(Buffer.from('kept'));
    await assert.rejects(ends.b.receive(Buffer.alloc(0)), { code: 'EMSGSIZE', messageSize: 4 });
    assert.equal(await receiveText(ends.b), 'kept');
  });

  test('an empty message is the end of file there; in seqpacket this is the default, not the only mode', async () => {
    using ends = socketPair();
    await ends.a.send(Buffer.alloc(0));
    await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EOF' });
    ends.b.setOption('emptyMessages', 'deliver');
    await ends.a.send(Buffer.alloc(0));
    assert.equal(await ends.b.receive(Buffer.alloc(1)), 0);
  });

  test('received descriptors are not close-on-exec; ours are', async () => {
    using ends = socketPair();
    await ends.a.sendWithFds(Buffer.from('x'), [0]);
    const { fds } = await ends.b.receiveWithFds(Buffer.alloc(1), 1);
    using received = fds[0] as FileDescriptor;
    assert.equal(isCloseOnExec(received.fd), true);
  });

  test('a too long path raises a bare string; ours works', async () => {
    const path = scratchPath('n'.repeat(150));
    using acceptor = listen(path);
    using client = new SeqpacketSocket();
    await client.connect(path);
    (await acceptor.accept()).close();
  });

  test('closing an acceptor leaves its file; that of `listen` removes it', () => {
    const path = scratchPath();
    listen(path).close();
    listen(path, { reclaim: false }).close();
  });
});
