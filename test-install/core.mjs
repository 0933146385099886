// What has to work on every runtime: run in a project that has seqpacket installed, by the runtime itself, with
// a runner of its own because runtimes differ in theirs.
//
// RUNTIME_COMMAND is how to start another program with this runtime, as JSON.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as seqpacket from 'seqpacket';

const { connect, connectSync, FileDescriptor, listen, MessageFlag, pair, SeqpacketSocket, shareMemory } =
  seqpacket;
const runtime = JSON.parse(process.env.RUNTIME_COMMAND ?? JSON.stringify([process.execPath]));
const directory = mkdtempSync(join(tmpdir(), 'seqpacket-core-'));
const tests = [];
const test = (name, run) => tests.push({ name, run });
let paths = 0;
const freshPath = () => join(directory, `socket-${paths++}`);

/** Runs a program in this project by this runtime; what it printed, and its exit code or signal. */
async function run(script) {
  const file = join(import.meta.dirname ?? '.', `child-${process.pid}-${paths++}.mjs`);
  writeFileSync(file, script);
  const [program, ...args] = runtime;
  const child = spawn(program, [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [code, signal] = await once(child, 'close');
  rmSync(file);
  return { output, ended: signal ?? code };
}

test('import and require give the same classes', () => {
  assert.equal(createRequire(import.meta.url)('seqpacket').SeqpacketSocket, SeqpacketSocket);
});

test('a second copy in the same thread leaves the first one working', async () => {
  const require = createRequire(import.meta.url);
  const place = join(require.resolve('seqpacket'), '..');
  for (const file of Object.keys(require.cache)) if (file.startsWith(place)) delete require.cache[file];
  const second = require('seqpacket');
  assert.notEqual(second.SeqpacketSocket, SeqpacketSocket);
  const pairs = [pair(), second.pair(), pair()];
  const received = pairs.map(([, there]) => there.receiveMessage({ maxFds: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (const [index, [here]] of pairs.entries()) await here.sendWithFds(Buffer.from(`to ${index}`), [0]);
  for (const [index, { data, fds }] of (await Promise.all(received)).entries()) {
    assert.equal(String(data), `to ${index}`);
    assert.equal(fds.length, 1);
    for (const each of [...fds, ...pairs[index]]) each.close();
  }
});

test('a server and a client', async () => {
  const path = freshPath();
  const server = listen(path);
  const serving = (async () => {
    for await (const socket of server) {
      assert.equal(socket.getOption('remoteCredentials').pid, process.pid);
      for await (const message of socket) await socket.send(Buffer.from(String(message).toUpperCase()));
      socket.close();
      break;
    }
  })();
  const client = await connect(path);
  assert.equal(client.remotePath, path);
  for (const word of ['one', 'two', 'three']) {
    await client.send(Buffer.from(word));
    assert.equal(String((await client.receiveMessage()).data), word.toUpperCase());
  }
  client.close();
  await serving;
  server.close();
  assert.equal(existsSync(path), false);
});

test('messages keep their order and their boundaries, whoever waits', async () => {
  const [a, b] = pair();
  const receives = Array.from({ length: 50 }, () => b.receiveMessage());
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (let i = 0; i < 50; i++) await a.send(Buffer.alloc(i + 1, i));
  for (let i = 0; i < 50; i++) assert.deepEqual((await receives[i]).data, Buffer.alloc(i + 1, i));
  a.close();
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  b.close();
});

test('a message longer than its buffer is kept whole', async () => {
  const [a, b] = pair();
  const long = Buffer.alloc(150_000, 'long');
  await a.send(long);
  await assert.rejects(b.receive(Buffer.alloc(10)), { code: 'EMSGSIZE', messageSize: long.length });
  assert.deepEqual((await b.receiveMessage()).data, long);
  a.close();
  b.close();
});

test('many messages at once', async () => {
  const [a, b] = pair();
  const messages = Array.from({ length: 300 }, (_, i) => Buffer.from(`message ${i}`));
  const sent = a.sendMany(messages);
  const received = [];
  while (received.length < messages.length) received.push(...(await b.receiveMany()));
  assert.deepEqual(received, messages);
  assert.equal(await sent, messages.length);
  a.close();
  b.close();
});

test('sends wait while the queue is full, and go on when it is not', async () => {
  const [a, b] = pair();
  const sends = Array.from({ length: 1000 }, (_, i) => a.send(Buffer.alloc(2000, i)));
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(a.trySend(Buffer.alloc(1)), false);
  for (let i = 0; i < 1000; i++) assert.equal((await b.receiveMessage()).data[0], i % 256);
  await Promise.all(sends);
  a.close();
  b.close();
});

test('blocking calls', async () => {
  const [a, b] = pair();
  const buffer = Buffer.alloc(10);
  assert.equal(a.sendSync('one'), 3);
  assert.equal(b.receiveSync(buffer), 3);
  assert.equal(a.sendManySync(['two', 'three']), 2);
  assert.deepEqual(b.receiveManySync().map(String), ['two', 'three']);
  a.sendSync('with a descriptor', { fds: [0] });
  const { data, fds } = b.receiveMessageSync({ maxFds: 1, timeout: 0 });
  assert.equal(String(data), 'with a descriptor');
  assert.equal(fds.length, 1);
  fds[0].close();
  for (const timeout of [0, 5, 70]) {
    const start = performance.now();
    assert.throws(() => b.receiveSync(buffer, { timeout }), { code: 'ETIMEDOUT', syscall: 'recvmsg' });
    assert.ok(performance.now() - start >= timeout);
  }
  while (a.trySend('x'));
  assert.throws(() => a.sendSync('x', { timeout: 5 }), { code: 'ETIMEDOUT', syscall: 'sendmsg' });
  const waiting = a.receiveMessage();
  assert.throws(() => a.receiveMessageSync(), { code: 'EBUSY' });
  b.sendSync('for the one that waits');
  assert.equal(String((await waiting).data), 'for the one that waits');
  b.sendSync('for the next');
  assert.equal(String(a.receiveMessageSync().data), 'for the next');
  a.close();
  b.close();
});

test('blocking calls of two processes, between asynchronous ones', async () => {
  const path = freshPath();
  const server = listen(path);
  assert.throws(() => server.acceptSync({ timeout: 5 }), { code: 'ETIMEDOUT' });
  assert.throws(() => connectSync(freshPath()), { code: 'ENOENT', syscall: 'connect' });
  const ended = run(`
    import { connectSync } from 'seqpacket';
    const socket = connectSync(${JSON.stringify(path)});
    try {
      for (;;) socket.sendSync(socket.receiveMessageSync().data);
    } catch (error) {
      if (error.code !== 'EOF') throw error;
    }
    console.log('done');`);
  const socket = server.acceptSync();
  for (let i = 0; i < 200; i++) {
    socket.sendSync(String(i));
    const { data } = i % 10 === 0 ? await socket.receiveMessage() : socket.receiveMessageSync();
    assert.equal(String(data), String(i));
  }
  socket.close();
  server.close();
  assert.deepEqual(await ended, { output: 'done\n', ended: 0 });
});

const sharedPair = async (bytes) => {
  const [left, right] = pair();
  return Promise.all([shareMemory(left, { bytes }), shareMemory(right, { bytes })]);
};

test('a channel in shared memory', async () => {
  const [a, b] = await sharedPair(4096);
  const waiting = b.receiveMessage();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await a.send('to a waiting receive');
  assert.equal(String((await waiting).data), 'to a waiting receive');
  const lengths = Array.from({ length: 2000 }, (_, i) => (i * 37) % 2041);
  const sent = lengths.map((length, i) => a.send(Buffer.alloc(length, i)));
  for (let i = 0; i < lengths.length; i++) {
    assert.deepEqual((await b.receiveMessage()).data, Buffer.alloc(lengths[i], i));
  }
  await Promise.all(sent);
  await b.sendWithFds('with a descriptor', [0]);
  const { data, fds } = await a.receiveMessage({ maxFds: 1 });
  assert.equal(String(data), 'with a descriptor');
  assert.equal(fds.length, 1);
  fds[0].close();
  assert.throws(() => a.receiveMessageSync({ timeout: 5 }), { code: 'ETIMEDOUT' });
  b.sendSync('the last one');
  b.close();
  assert.equal(String(a.receiveMessageSync().data), 'the last one');
  await assert.rejects(a.receiveMessage(), { code: 'EOF' });
  a.close();
});

test('memory of a channel is lent and unmapped', async () => {
  const mapped = () => readFileSync('/proc/self/maps', 'utf8').match(/memfd:seqpacket/g)?.length ?? 0;
  // Node.js unmaps in a later turn of its event loop.
  const unmapped = async () => {
    for (let i = 0; i < 100 && mapped() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(mapped(), 0);
  };
  await unmapped(); // that of the test before
  const [a, b] = await sharedPair(65_536);
  assert.equal(mapped(), 4);
  const lease = a.lease(10_000);
  lease.data.fill(7);
  assert.equal(lease.send(9000), 9000);
  const borrowed = await b.borrow();
  assert.deepEqual(borrowed.data, Buffer.alloc(9000, 7));
  const { data } = borrowed;
  a.close();
  b.close();
  assert.equal(data.length, 0);
  borrowed.release();
  await unmapped();
});

test('a channel between two processes', async () => {
  const path = freshPath();
  const server = listen(path);
  const ended = run(`
    import { connect, shareMemory } from 'seqpacket';
    const channel = await shareMemory(await connect(${JSON.stringify(path)}));
    for await (const { data, fds } of channel.messages({ maxFds: 1 })) {
      await channel.sendWithFds(data, fds);
      for (const fd of fds) fd.close();
    }
    console.log('done');`);
  const channel = await shareMemory(await server.accept());
  for (let i = 0; i < 300; i++) {
    await channel.sendWithFds(String(i), i % 3 === 0 ? [0] : []);
    const { data, fds } = await channel.receiveMessage({ maxFds: 1 });
    assert.equal(String(data), String(i));
    assert.equal(fds.length, i % 3 === 0 ? 1 : 0);
    for (const fd of fds) fd.close();
  }
  channel.close();
  server.close();
  assert.deepEqual(await ended, { output: 'done\n', ended: 0 });
});

test('descriptors', async () => {
  const [a, b] = pair();
  const file = join(directory, 'file');
  writeFileSync(file, 'what the file holds');
  const fd = openSync(file, 'r');
  await a.sendWithFds(Buffer.from('take'), [fd]);
  closeSync(fd);
  const { data, fds, controlTruncated } = await b.receiveMessage({ maxFds: 1 });
  assert.equal(String(data), 'take');
  assert.equal(controlTruncated, false);
  assert.equal(fds.length, 1);
  assert.ok(fds[0] instanceof FileDescriptor);
  assert.equal(readFileSync(String(fds[0]), 'utf8'), 'what the file holds');
  for (const each of fds) each.close();
  a.close();
  b.close();
});

test('as many descriptors as fit one message', async () => {
  const [a, b] = pair();
  const fd = openSync('/dev/null', 'r');
  await a.sendWithFds(Buffer.from('x'), new Array(253).fill(fd));
  closeSync(fd);
  const { fds } = await b.receiveMessage({ maxFds: 253 });
  assert.equal(fds.length, 253);
  for (const each of fds) each.close();
  a.close();
  b.close();
});

test('what is aborted has left no trace', async () => {
  const [a, b] = pair();
  const controller = new AbortController();
  const aborted = b.receiveMessage({ signal: controller.signal });
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  await a.send(Buffer.from('kept'));
  assert.equal(String((await b.receiveMessage()).data), 'kept');
  a.close();
  b.close();
});

test('what waits is cancelled by close', async () => {
  const [a, b] = pair();
  const acceptor = listen(freshPath());
  const waiting = [a.receiveMessage(), acceptor.accept()].map((each) =>
    assert.rejects(each, { code: 'ECANCELED' }),
  );
  setTimeout(() => {
    a.close();
    acceptor.close();
  }, 5);
  await Promise.all(waiting);
  assert.equal(a.isOpen, false);
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  b.close();
});

test('a number that is used again is watched anew', async () => {
  for (let round = 0; round < 50; round++) {
    const [a, b] = pair();
    const cancelled = assert.rejects(b.receiveMessage(), { code: 'ECANCELED' });
    if (round % 2 === 0) await a.send(Buffer.from('in flight when it is closed'));
    b.cancel();
    await cancelled.catch(() => undefined);
    a.close();
    b.close();
  }
  const [a, b] = pair();
  const received = b.receiveMessage();
  setTimeout(() => a.send(Buffer.from('here')), 5);
  assert.equal(String((await received).data), 'here');
  a.close();
  b.close();
});

test('many sockets at the same time', async () => {
  const pairs = Array.from({ length: 100 }, () => pair());
  await Promise.all(
    pairs.map(async ([a, b], index) => {
      const echo = (async () => {
        for await (const message of b) await b.send(message);
      })();
      for (let i = 0; i < 10; i++) {
        await a.send(Buffer.from(`${index}-${i}`));
        assert.equal(String((await a.receiveMessage()).data), `${index}-${i}`);
      }
      a.close();
      await echo;
      b.close();
    }),
  );
});

test('an empty message is told from the end', async () => {
  const [a, b] = pair({ emptyMessages: 'deliver' });
  await a.send(new Uint8Array(0));
  a.close();
  assert.equal((await b.receiveMessage()).data.length, 0);
  await assert.rejects(b.receiveMessage(), { code: 'EOF' });
  b.close();
});

test('errors are those of Node.js', async () => {
  await assert.rejects(connect(join(directory, 'nobody')), (error) => {
    assert.equal(error.code, 'ENOENT');
    assert.equal(error.errno, -2);
    assert.equal(error.syscall, 'connect');
    assert.equal(error.address, join(directory, 'nobody'));
    return true;
  });
  assert.throws(() => connect(42), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
});

test('long paths and abstract names', async () => {
  const deep = join(directory, 'd'.repeat(120));
  const { mkdirSync } = await import('node:fs');
  mkdirSync(deep);
  for (const path of [join(deep, 'socket'), `\0seqpacket-core-${process.pid}`]) {
    const server = listen(path);
    const [client, socket] = await Promise.all([connect(path), server.accept()]);
    assert.equal(server.localPath, path);
    for (const each of [client, socket, server]) each.close();
  }
});

test('flags, options, sizes', async () => {
  const [a, b] = pair();
  await a.send(Buffer.from('peek'));
  const buffer = Buffer.alloc(10);
  assert.equal(await b.receive(buffer, { flags: MessageFlag.peek }), 4);
  assert.equal(b.ioControl('bytesReadable'), 4);
  assert.equal(b.tryReceive(buffer), 4);
  assert.equal(b.tryReceive(buffer), null);
  a.setOption('sendBufferSize', 20_000);
  assert.equal(a.getOption('sendBufferSize'), 40_000);
  a[Symbol.dispose]();
  await b[Symbol.asyncDispose]();
  assert.equal(b.isOpen, false);
});

test('web streams', async () => {
  const [a, b] = pair();
  const echo = b.readable.pipeTo(b.writable);
  const writer = a.writable.getWriter();
  const reader = a.readable.getReader();
  await writer.write(Buffer.from('through streams'));
  const { value } = await reader.read();
  assert.equal(String(Buffer.from(value)), 'through streams');
  await writer.close();
  await echo;
  a.close();
  b.close();
});

test('channels of node:diagnostics_channel', () => {
  const closed = [];
  subscribe('seqpacket:close', ({ endpoint }) => closed.push(endpoint));
  const [a, b] = pair();
  a.close();
  b.close();
  assert.deepEqual(closed, [a, b]);
});

test('what nobody closes is closed when it is collected, with a warning', async () => {
  const collect = 'Bun' in globalThis ? () => globalThis.Bun.gc(true) : globalThis.gc;
  assert.ok(collect, 'garbage can be collected');
  const warnings = [];
  process.on('warning', (warning) => warnings.push(warning.code));
  const path = freshPath();
  (() => {
    const acceptor = listen(path);
    acceptor.unref();
  })();
  for (let i = 0; i < 100 && warnings.length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  assert.equal(warnings[0], 'SEQPACKET_DESCRIPTOR_COLLECTED');
  await assert.rejects(connect(path), { code: 'ECONNREFUSED' });
});

test('a worker', async () => {
  const path = freshPath();
  const server = listen(path);
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: path });
  const exit = once(worker, 'exit');
  const socket = await server.accept();
  assert.equal(String((await socket.receiveMessage()).data), 'from a worker');
  await socket.send(Buffer.from('end'));
  await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
  await exit;
  socket.close();
  server.close();
});

test('workers that are terminated while they wait', async () => {
  const path = freshPath();
  const server = listen(path);
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: path });
    const socket = await server.accept();
    await socket.receiveMessage();
    await worker.terminate();
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    socket.close();
  }
  server.close();
});

// In Deno, worker.terminate() does not end a thread that executes JavaScript, not even `for (;;);`.
const testTermination = 'Deno' in globalThis ? () => {} : test;

testTermination('workers that are terminated while they are blocked', async () => {
  const path = freshPath();
  const server = listen(path);
  for (let round = 0; round < 10; round++) {
    const workerData = { path, blocked: round % 2 === 0 ? 'receiving' : 'sending' };
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData });
    const socket = await server.accept();
    await socket.receiveMessage();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.terminate();
    const ended = (async () => {
      for (;;) await socket.receiveMessage();
    })();
    await assert.rejects(ended, { code: 'EOF' });
    socket.close();
  }
  server.close();
});

const child = `
  import { listen, pair } from 'seqpacket';
  const [a, b] = pair();
  globalThis.keep = [a, b];
`;

test('a process with idle sockets ends', async () => {
  const script = `${child}
    const waited = b.receiveMessage(); a.send(Buffer.alloc(1)); await waited; console.log('done');`;
  assert.deepEqual(await run(script), { output: 'done\n', ended: 0 });
});

test('a process whose wait is unreferenced ends', async () => {
  const script = `${child}
    b.unref(); b.receiveMessage(); console.log('done');`;
  assert.deepEqual(await run(script), { output: 'done\n', ended: 0 });
});

test('a wait keeps the process alive', async () => {
  const script = `${child}
    b.receiveMessage().then(({ data }) => { console.log(String(data)); });
    setTimeout(() => a.send(Buffer.from('late')), 100).unref();`;
  // The timer does not keep it alive: who is not kept alive says nothing.
  const { output, ended } = await run(script);
  assert.deepEqual({ output, ended }, { output: 'late\n', ended: 0 });
});

test('a process exits in the middle of everything', async () => {
  const script = `${child}
    for (let i = 0; i < 2000; i++) a.send(Buffer.alloc(1000));
    listen(${JSON.stringify(freshPath())}).accept();
    (async () => { for await (const _ of b) await b.send(Buffer.alloc(10)); })();
    (async () => { for await (const _ of a); })();
    setTimeout(() => { console.log('exit'); process.exit(3); }, 50);`;
  assert.deepEqual(await run(script), { output: 'exit\n', ended: 3 });
});

test('a process exits while a worker is blocked', async () => {
  const script = `${child}
    import { Worker } from 'node:worker_threads';
    const path = ${JSON.stringify(freshPath())};
    const workerData = { path, blocked: 'receiving' };
    globalThis.kept = [new Worker(new URL('./worker.mjs', import.meta.url), { workerData }), listen(path)];
    const socket = await kept[1].accept();
    kept.push(socket);
    await socket.receiveMessage();
    setTimeout(() => { console.log('exit'); process.exit(3); }, 20);`;
  assert.deepEqual(await run(script), { output: 'exit\n', ended: 3 });
});

test('no descriptor is left', () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 100; i++) for (const each of pair()) each.close();
  // A runtime may close descriptors of its own meanwhile.
  const after = readdirSync('/proc/self/fd').length;
  assert.ok(after <= before, `${after} are open, ${before} were`);
});

let failed = 0;
const only = process.argv[2];
for (const { name, run } of tests.filter((each) => only === undefined || each.name.includes(only))) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('took more than two minutes')), 120_000);
  });
  try {
    await Promise.race([run(), late]);
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n${error?.stack ?? error}`);
  }
  clearTimeout(timer);
}
rmSync(directory, { recursive: true, force: true });
console.log(`${tests.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
