/** Blocking calls on sockets of every origin, also in workers. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { connect, connectSync, FileDescriptor, listen, pair, pairForChild, SeqpacketSocket } from 'seqpacket';
import { os } from '../support/internals.js';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';

const skip = missing('python3');

const ECHO = `
import socket, sys, time
sock = socket.socket(fileno=int(sys.argv[1]))
while True:
    data = sock.recv(1000)
    if not data: break
    time.sleep(0.02)
    sock.send(data)
`;

/** Calls another process, and waits for each answer. */
function talk(socket: SeqpacketSocket): void {
  for (let i = 0; i < 5; i++) {
    socket.sendSync(String(i));
    assert.equal(String(socket.receiveMessageSync().data), String(i));
  }
  assert.throws(() => socket.receiveSync(Buffer.alloc(1), { timeout: 5 }), { code: 'ETIMEDOUT' });
}

/** Starts a child that has a descriptor of its own and echoes, and closes that descriptor here. */
function echoChild(t: TestContext, theirs: FileDescriptor): void {
  theirs.nonBlocking = false;
  const child = spawn('python3', ['-I', '-S', '-c', ECHO, '3'], {
    stdio: ['inherit', 'inherit', 'inherit', theirs.fd],
  });
  t.after(() => child.kill('SIGKILL'));
  theirs.close();
}

/** Starts a process that connects and echoes. */
function echoClient(t: TestContext, name: string): void {
  new Python(
    t,
    `
    import time
    sock = connect(args[0])
    while True:
        data = sock.recv(1000)
        if not data: break
        time.sleep(0.02)
        sock.send(data)
    `,
    name,
  );
}

const origins: Record<string, (t: TestContext) => SeqpacketSocket | Promise<SeqpacketSocket>> = {
  pair(t) {
    const [a, b] = pair();
    echoChild(t, b.release());
    return a;
  },
  pairForChild(t) {
    const [ours, theirs] = pairForChild();
    echoChild(t, theirs);
    return ours;
  },
  accept: async (t) => {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    echoClient(t, name);
    return acceptor.accept();
  },
  acceptSync(t) {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    echoClient(t, name);
    return acceptor.acceptSync();
  },
  async connect(t) {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    const socket = await connect(name);
    echoChild(t, acceptor.acceptSync().release());
    return socket;
  },
  connectSync(t) {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    const socket = connectSync(name);
    echoChild(t, acceptor.acceptSync().release());
    return socket;
  },
  'a number that was taken over': (t) => {
    const [a, b] = pair();
    echoChild(t, b.release());
    return new SeqpacketSocket(FileDescriptor.adopt(a.release().detach()));
  },
};

for (const [origin, open] of Object.entries(origins)) {
  test(`blocking calls on a socket of ${origin}`, { skip }, async (t) => {
    talk(closing(t, await open(t)));
  });
}

test('blocking calls keep their timeouts on a socket that another process has made blocking', {
  skip,
}, async (t) => {
  const blocking = 'import fcntl; fcntl.fcntl(0, fcntl.F_SETFL, 0)';
  const makeBlocking = async (fd: number) => {
    const [code] = await once(
      spawn('python3', ['-c', blocking], { stdio: [fd, 'inherit', 'inherit'] }),
      'exit',
    );
    assert.equal(code, 0);
    assert.equal(os.fcntl(fd, 3, 0) & 0o4000, 0, 'it is blocking');
  };
  const [a, b] = pair();
  closing(t, a);
  closing(t, b);
  await makeBlocking(a.fd);
  assert.throws(() => a.receiveMessageSync({ timeout: 60 }), { code: 'ETIMEDOUT' });
  while (a.trySend('x')) {}
  assert.throws(() => a.sendSync('x', { timeout: 60 }), { code: 'ETIMEDOUT' });
  assert.equal(os.fcntl(a.fd, 3, 0) & 0o4000, 0, 'it is as it was');
  const acceptor = closing(t, listen(abstractName()));
  await makeBlocking(acceptor.fd);
  assert.throws(() => acceptor.acceptSync({ timeout: 60 }), { code: 'ETIMEDOUT' });
});

test('workers call a child each by blocking calls', { skip }, async () => {
  const script = `
    const { FileDescriptor, SeqpacketSocket, pairForChild } = require('seqpacket');
    const { parentPort, workerData } = require('node:worker_threads');
    const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData));
    for (let i = 0; i < 200; i++) {
      socket.sendSync(String(i));
      const answer = String(socket.receiveMessageSync({ timeout: 30_000 }).data);
      if (answer !== String(i)) throw new Error(answer);
    }
    socket.close();
    parentPort.postMessage('done');
  `;
  const run = async () => {
    const [socket, theirs] = pairForChild();
    const echo = ECHO.replace('time.sleep(0.02)', 'time.sleep(0.0005)');
    const child = spawn('python3', ['-I', '-S', '-c', echo, '3'], {
      stdio: ['inherit', 'inherit', 'inherit', theirs.fd],
    });
    theirs.close();
    const worker = new Worker(script, { eval: true, workerData: socket.release().detach() });
    const [[message], [code]] = await Promise.all([once(worker, 'message'), once(child, 'exit')]);
    assert.deepEqual([message, code], ['done', 0]);
  };
  await Promise.all(Array.from({ length: 6 }, run));
});

test('two threads call each other by blocking calls', async () => {
  const script = `
    const { FileDescriptor, SeqpacketSocket } = require('seqpacket');
    const { workerData } = require('node:worker_threads');
    const socket = new SeqpacketSocket(FileDescriptor.adopt(workerData));
    try {
      for (;;) socket.sendSync(socket.receiveMessageSync().data);
    } catch (error) {
      if (error.code !== 'EOF') throw error;
    }
  `;
  const [a, b] = pair();
  const worker = new Worker(script, { eval: true, workerData: b.release().detach() });
  const exited = once(worker, 'exit');
  for (let i = 0; i < 2000; i++) {
    a.sendSync(String(i));
    assert.equal(String(a.receiveMessageSync().data), String(i));
  }
  a.close();
  assert.deepEqual(await exited, [0]);
});

test("a handler of process.on('exit') calls a child", { skip }, () => {
  const program = `
    const { pairForChild } = require('seqpacket');
    const { spawn } = require('node:child_process');
    const [socket, theirs] = pairForChild();
    const stdio = ['inherit', 'inherit', 'inherit', theirs.fd];
    spawn('python3', ['-I', '-S', '-c', process.env.ECHO, '3'], { stdio }).unref();
    theirs.close();
    process.on('exit', () => {
      socket.sendSync('last words');
      console.log(String(socket.receiveMessageSync({ timeout: 30_000 }).data));
    });
    process.exit(5);
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    env: { ...process.env, ECHO },
  });
  assert.deepEqual([status, stdout], [5, 'last words\n'], stderr);
});
