/** Blocking calls send and receive with the promises of the asynchronous ones, with a peer in another process. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { listen, MessageFlag, pair, type SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { forceSendBuffer, socketPair } from '../support/sockets.js';

const skip = missing('python3');

/** Starts a script that connects, as `sock`, and accepts the connection. */
function connectedScript(t: TestContext, script: string, emptyMessages?: 'deliver') {
  const name = abstractName();
  const acceptor = closing(t, listen(name, { emptyMessages }));
  const python = new Python(t, `\n    sock = connect(args[0])${script}`, name);
  const socket = closing(t, acceptor.acceptSync({ timeout: 30_000 }));
  return { python, socket };
}

test('messages go to a python3 child and back, in order, while it is slower', { skip }, (t) => {
  const { socket } = connectedScript(
    t,
    `
    import time
    while True:
        data = sock.recv(1000)
        if not data: break
        time.sleep(0.005)
        sock.send(data.upper())
    `,
  );
  const buffer = Buffer.alloc(100);
  for (let i = 0; i < 40; i++) {
    assert.equal(socket.sendSync(`call ${i}`), `call ${i}`.length);
    const length = socket.receiveSync(buffer);
    assert.equal(buffer.toString('utf8', 0, length), `CALL ${i}`);
  }
  assert.deepEqual(socket.counters.messagesSent, 40);
  assert.deepEqual(socket.counters.messagesReceived, 40);
});

test('sends wait for room while a slow child receives, and all arrive in order', { skip }, async (t) => {
  const { socket, python } = connectedScript(
    t,
    `
    import time
    time.sleep(0.1)
    numbers = []
    while len(numbers) < 3000:
        numbers.append(int(sock.recv(1000)))
        if len(numbers) % 200 == 0: time.sleep(0.01)
    say(numbers == list(range(3000)))
    `,
  );
  for (let i = 0; i < 1000; i++) socket.sendSync(String(i));
  const rest = Array.from({ length: 1999 }, (_, i) => String(1000 + i));
  assert.equal(socket.sendManySync(rest), 1999);
  assert.equal(socket.sendSync(['29', Buffer.from('99')]), 4);
  assert.equal(await python.says(), 'connected');
  assert.equal(await python.says(), true);
});

test('a send gets room that is too little for poll(2) to report it', { skip }, (t) => {
  const { socket } = connectedScript(
    t,
    `
    import time
    time.sleep(0.1)
    for i in range(10): sock.recv(1000)
    hear()
    `,
  );
  fill(socket);
  assert.equal(socket.sendSync('x', { timeout: 20_000 }), 1);
  assert.equal(socket.sendManySync(['x', 'y'], { timeout: 20_000 }), 2);
});

test('a receive waits for a message, whole messages have any length, batches have several', { skip }, (t) => {
  const { socket } = connectedScript(
    t,
    `
    import time
    time.sleep(0.12)
    sock.send(b'x' * 100000)
    time.sleep(0.12)
    for i in range(100): sock.send(b'%d' % i)
    time.sleep(0.05)
    sock.send(b'end')
    sock.recv(1)
    `,
  );
  const { data, fds, controlTruncated } = socket.receiveMessageSync();
  assert.ok(data.equals(Buffer.alloc(100_000, 'x')));
  assert.deepEqual([fds, controlTruncated], [[], false]);
  const texts: string[] = [];
  while (texts.length < 100) {
    const messages = socket.receiveManySync({ max: 30 });
    assert.ok(messages.length >= 1 && messages.length <= 30);
    texts.push(...messages.map(String));
  }
  assert.deepEqual(
    texts,
    Array.from({ length: 100 }, (_, i) => String(i)),
  );
  assert.deepEqual(socket.receiveManySync().map(String), ['end']);
});

test('the end of file ends a receive that waits', { skip }, (t) => {
  const { socket } = connectedScript(t, '; import time; time.sleep(0.1)');
  assert.throws(() => socket.receiveSync(Buffer.alloc(1)), { code: 'EOF', syscall: 'recvmsg' });
  assert.throws(() => socket.receiveMessageSync({ timeout: 0 }), { code: 'EOF' });
  assert.throws(() => socket.sendSync('x'), { code: 'EPIPE', syscall: 'sendmsg' });
});

test('a send that waits fails with EPIPE or ECONNRESET when the peer is killed', { skip }, (t) => {
  const { socket } = connectedScript(t, '; import time; time.sleep(0.15); os.kill(os.getpid(), 9)');
  const send = () => {
    for (;;) socket.sendSync(Buffer.alloc(1000));
  };
  assert.throws(send, (error: NodeJS.ErrnoException) => ['EPIPE', 'ECONNRESET'].includes(error.code!));
});

test('messages that were sent before a reset are delivered before ECONNRESET', { skip }, async (t) => {
  const { socket, python } = connectedScript(t, `; sock.send(b'1'); sock.send(b'2'); hear()`);
  socket.sendSync('never received');
  python.tell(null);
  await python.finished();
  assert.deepEqual(socket.receiveManySync({ max: 1 }).map(String), ['1']);
  assert.equal(String(socket.receiveMessageSync().data), '2');
  assert.throws(() => socket.receiveSync(Buffer.alloc(1)), { code: 'ECONNRESET' });
  assert.throws(() => socket.receiveSync(Buffer.alloc(1)), { code: 'EOF' });
});

test('an empty message is the end of file, or is delivered', { skip }, (t) => {
  const script = `; sock.send(b''); sock.send(b'x')`;
  const { socket } = connectedScript(t, script);
  assert.throws(() => socket.receiveMessageSync(), { code: 'EOF' });
  assert.equal(String(socket.receiveMessageSync().data), 'x');

  const exact = connectedScript(t, script, 'deliver').socket;
  assert.equal(exact.receiveSync(Buffer.alloc(1)), 0);
  assert.equal(exact.receiveSync(Buffer.alloc(1)), 1);
  assert.throws(() => exact.receiveSync(Buffer.alloc(1)), { code: 'EOF' });
});

test('a message that is too long for the buffer is kept, with its descriptors', { skip }, (t) => {
  const { socket } = connectedScript(
    t,
    `
    import time
    file = open('/dev/null')
    time.sleep(0.08)
    socket.send_fds(sock, [b'0123456789'], [file.fileno()])
    sock.recv(1)
    `,
  );
  const tooLong = { code: 'EMSGSIZE', messageSize: 10 };
  assert.throws(() => socket.receiveSync(Buffer.alloc(4)), tooLong);
  assert.throws(() => socket.receiveSync(Buffer.alloc(9), { timeout: 0 }), tooLong);
  const message = socket.receiveMessageSync({ maxFds: 1, timeout: 1 });
  assert.equal(String(message.data), '0123456789');
  assert.equal(message.fds.length, 1);
  assert.ok(readFileSync(`/proc/self/fdinfo/${message.fds[0]!.fd}`).length > 0);
  message.fds[0]!.close();
});

test('flags are those of the system call: peek takes nothing, dontWait does not wait', () => {
  using ends = socketPair();
  const buffer = Buffer.alloc(3);
  assert.throws(() => ends.b.receiveSync(buffer, { flags: MessageFlag.dontWait }), { code: 'EAGAIN' });
  ends.a.sendSync('abc');
  assert.equal(ends.b.receiveSync(buffer, { flags: MessageFlag.peek }), 3);
  assert.equal(ends.b.receiveSync(Buffer.alloc(1), { flags: MessageFlag.truncate }), 3);
  fill(ends.a);
  assert.throws(() => ends.a.sendSync('x', { flags: MessageFlag.dontWait }), { code: 'EAGAIN' });
});

test('credentials of the sender are in the message', () => {
  using ends = socketPair();
  ends.b.setOption('passCredentials', true);
  ends.a.sendSync('x');
  assert.deepEqual(ends.b.receiveMessageSync().credentials?.pid, process.pid);
});

test('a message that is too long to be sent is refused at once', () => {
  using ends = socketPair();
  forceSendBuffer(ends.a, 10_000);
  assert.throws(() => ends.a.sendSync(Buffer.alloc(100_000)), { code: 'EMSGSIZE', messageSize: 100_000 });
  const messages = ['x', Buffer.alloc(100_000)];
  assert.throws(() => ends.a.sendManySync(messages), { code: 'EMSGSIZE', messagesSent: 1 });
});

test('a socket that is not open or not connected fails as in the asynchronous calls', () => {
  const [a, b] = pair();
  a.close();
  b.close();
  const closed = { code: 'EBADF' };
  assert.throws(() => a.sendSync('x'), { ...closed, syscall: 'sendmsg' });
  assert.throws(() => a.sendManySync(['x']), { ...closed, messagesSent: 0 });
  assert.throws(() => a.receiveSync(Buffer.alloc(1)), { ...closed, syscall: 'recvmsg' });
  assert.throws(() => a.receiveMessageSync(), closed);
  assert.throws(() => a.receiveManySync(), closed);
  a.open();
  assert.throws(() => a.sendSync('x'), { code: 'ENOTCONN' });
  assert.throws(() => a.receiveSync(Buffer.alloc(1)), { code: 'ENOTCONN' });
  a.close();
});

function fill(socket: SeqpacketSocket): void {
  while (socket.trySend(Buffer.alloc(64))) {}
}
