/** Signals during a blocking call: EINTR is no error, does not lengthen the timeout, and handlers run after the call. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { connectSync, listen } from 'seqpacket';
import { os } from '../support/internals.js';
import { abstractName, closing, Peer, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { socketPair } from '../support/sockets.js';

const skip = missing('python3');
const EINTR = 4;

/**
 * Starts a process that sends SIGALRM to this one every millisecond. Returns the number of signals handled. Not SIGUSR2,
 * for which the test runner of Node.js 26 makes its processes write reports.
 */
async function storm(t: TestContext): Promise<() => number> {
  let handled = 0;
  const handler = () => handled++;
  process.on('SIGALRM', handler);
  const script = `
import os, signal, sys, time
signal.alarm(60)
print('sends', file=sys.stderr, flush=True)
while True:
    os.kill(int(sys.argv[1]), signal.SIGALRM)
    time.sleep(0.001)
`;
  const sender = new Peer(t, 'python3', ['-I', '-S', '-c', script, String(process.pid)]);
  t.after(async () => {
    sender.process.kill('SIGKILL');
    await once(sender.process, 'close');
    process.off('SIGALRM', handler);
  });
  await sender.reports('sends');
  assert.equal(os.poll(-1, 0, 10_000), -EINTR, 'the signals interrupt poll(2)');
  return () => handled;
}

test('a storm of signals does not lengthen timeouts', { skip, timeout: 60_000 }, async (t) => {
  const handled = await storm(t);
  using ends = socketPair();
  while (ends.a.trySend('x')) {}
  while (ends.b.tryReceive(Buffer.alloc(1)) !== null) {}
  while (ends.a.trySend('x')) {}
  const address = abstractName();
  const acceptor = closing(t, listen(address, { backlog: 0 }));
  closing(t, connectSync(address));
  const idle = closing(t, listen(abstractName()));
  const calls: Record<string, (timeout: number) => unknown> = {
    receiveSync: (timeout) => ends.a.receiveSync(Buffer.alloc(1), { timeout }),
    receiveMessageSync: (timeout) => ends.a.receiveMessageSync({ timeout }),
    receiveManySync: (timeout) => ends.a.receiveManySync({ timeout }),
    sendSync: (timeout) => ends.a.sendSync('x', { timeout }),
    sendManySync: (timeout) => ends.a.sendManySync(['x'], { timeout }),
    acceptSync: (timeout) => idle.acceptSync({ timeout }),
    connectSync: (timeout) => connectSync(address, { timeout }),
  };
  for (const [name, call] of Object.entries(calls)) {
    const before = handled();
    const start = performance.now();
    assert.throws(() => call(150), { code: 'ETIMEDOUT' }, name);
    const took = performance.now() - start;
    assert.ok(took >= 150 && took < 5000, `${name} took ${took} ms`);
    assert.equal(handled(), before, 'no handler runs during the call');
    // The handler runs after the call: without that, this would not end.
    while (handled() === before) await new Promise(setImmediate);
  }
  acceptor.acceptSync().close();
});

test('messages go on under a storm of signals', { skip, timeout: 60_000 }, async (t) => {
  const handled = await storm(t);
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  const python = new Python(
    t,
    `
    import time
    sock = connect(args[0])
    while True:
        time.sleep(0.004)
        data = sock.recv(1000)
        if not data: break
        sock.send(data)
    `,
    name,
  );
  const socket = closing(t, acceptor.acceptSync());
  for (let i = 0; i < 50; i++) {
    socket.sendSync(String(i));
    assert.equal(String(socket.receiveMessageSync().data), String(i));
  }
  socket.shutdown('send');
  await python.finished();
  assert.ok(handled() > 0);
});

test('a send that waits under a storm of signals is sent once', { skip, timeout: 60_000 }, async (t) => {
  await storm(t);
  const name = abstractName();
  const acceptor = closing(t, listen(name, { emptyMessages: 'deliver' }));
  const python = new Python(
    t,
    `
    import time
    sock = connect(args[0])
    count = 0
    while True:
        if count % 100 == 0: time.sleep(0.02)
        data = sock.recv(1000)
        if not data: break
        assert int(data) == count, (data, count)
        count += 1
    say(count)
    `,
    name,
  );
  const socket = closing(t, acceptor.acceptSync());
  for (let i = 0; i < 1500; i++) socket.sendSync(String(i));
  socket.shutdown('send');
  assert.equal(await python.says(), 'connected');
  assert.equal(await python.says(), 1500);
});

test('a signal whose action is the default one ends the process', { skip }, () => {
  const program = `
    const { pair } = require('seqpacket');
    const { spawn } = require('node:child_process');
    const [socket] = pair();
    const script = 'import os, time; time.sleep(0.2); os.kill(os.getppid(), 2)';
    spawn('python3', ['-I', '-S', '-c', script], { stdio: 'inherit' });
    socket.receiveMessageSync();
  `;
  const { signal, stderr } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  assert.equal(signal, 'SIGINT', stderr);
});
