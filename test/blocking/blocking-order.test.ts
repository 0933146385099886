/** Blocking calls beside asynchronous ones: EBUSY while they wait in the same direction, and in order otherwise. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { connect, connectSync, listen, type SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { fillSendQueue, receiveText, socketPair, useUpTurn } from '../support/sockets.js';

const receives: Record<string, (socket: SeqpacketSocket) => unknown> = {
  receiveSync: (socket) => socket.receiveSync(Buffer.alloc(100), { timeout: 1000 }),
  receiveMessageSync: (socket) => socket.receiveMessageSync({ timeout: 1000 }),
  receiveManySync: (socket) => socket.receiveManySync({ timeout: 1000 }),
};

const sends: Record<string, (socket: SeqpacketSocket) => unknown> = {
  sendSync: (socket) => socket.sendSync('blocking', { timeout: 1000 }),
  'sendSync with descriptors': (socket) => socket.sendSync('blocking', { timeout: 1000, fds: [0] }),
  sendManySync: (socket) => socket.sendManySync(['blocking'], { timeout: 1000 }),
};

for (const [name, receive] of Object.entries(receives)) {
  test(`${name} does not overtake receives that wait`, async () => {
    using ends = socketPair();
    const waiting: Record<string, () => Promise<unknown>> = {
      receive: () => receiveText(ends.b),
      wait: () => ends.b.wait('read').then(() => receiveText(ends.b)),
      iteration: () => ends.b[Symbol.asyncIterator]().next(),
    };
    for (const begin of Object.values(waiting)) {
      const promise = begin();
      assert.throws(() => receive(ends.b), { code: 'EBUSY', syscall: 'recvmsg' });
      ends.a.sendSync('first');
      assert.throws(() => receive(ends.b), { code: 'EBUSY' }, 'the message is for the first');
      const result = await promise;
      assert.equal(String((result as { value?: Buffer }).value ?? result), 'first');
      ends.a.sendSync('second');
      receive(ends.b);
    }
    assert.equal(ends.b.tryReceive(Buffer.alloc(100)), null);
  });

  test(`${name} does not overtake a receive that was deferred to the next turn`, async () => {
    using ends = socketPair();
    ends.a.sendSync('first');
    ends.a.sendSync('second');
    useUpTurn();
    const deferred = receiveText(ends.b);
    assert.equal(ends.b.counters.pendingReceives, 1, 'it was deferred');
    assert.throws(() => receive(ends.b), { code: 'EBUSY' });
    assert.equal(await deferred, 'first');
    receive(ends.b);
  });

  test(`${name} works after a receive was cancelled`, async () => {
    using ends = socketPair();
    const cancelled = receiveText(ends.b);
    ends.b.cancel();
    ends.a.sendSync('x');
    receive(ends.b);
    await assert.rejects(cancelled, { code: 'ECANCELED' });
  });
}

for (const [name, send] of Object.entries(sends)) {
  test(`${name} does not overtake sends that wait`, async () => {
    using ends = socketPair();
    let queued = await fillSendQueue(ends.a);
    const waiting = ends.a.send('asynchronous');
    const expected = {
      code: 'EBUSY',
      syscall: 'sendmsg',
      ...(name === 'sendManySync' ? { messagesSent: 0 } : {}),
    };
    assert.throws(() => send(ends.a), expected);
    for (; queued > 0; queued--) ends.b.receiveSync(Buffer.alloc(64));
    assert.throws(() => send(ends.a), { code: 'EBUSY' }, 'there is room, but for the first');
    await waiting;
    send(ends.a);
    assert.equal(String(ends.b.receiveMessageSync().data), 'asynchronous');
    assert.equal(String(ends.b.receiveMessageSync().data), 'blocking');
  });

  test(`${name} does not overtake a send that was deferred to the next turn`, async () => {
    using ends = socketPair();
    useUpTurn();
    const deferred = ends.a.send('asynchronous');
    assert.equal(ends.a.counters.pendingSends, 1, 'it was deferred');
    assert.throws(() => send(ends.a), { code: 'EBUSY' });
    await deferred;
    send(ends.a);
    assert.equal(String(ends.b.receiveMessageSync().data), 'asynchronous');
    assert.equal(String(ends.b.receiveMessageSync().data), 'blocking');
  });
}

test('acceptSync does not overtake accepts that wait', async (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  const waiting = acceptor.accept();
  assert.throws(() => acceptor.acceptSync({ timeout: 1000 }), {
    code: 'EBUSY',
    syscall: 'accept4',
    address: name,
  });
  closing(t, connectSync(name));
  assert.throws(() => acceptor.acceptSync({ timeout: 1000 }), { code: 'EBUSY' });
  closing(t, await waiting);
  closing(t, connectSync(name));
  closing(t, acceptor.acceptSync({ timeout: 0 }));
});

test('the directions are independent', async () => {
  using ends = socketPair();
  const received = receiveText(ends.a);
  assert.equal(ends.a.sendSync('there'), 5);
  assert.equal(ends.b.receiveSync(Buffer.alloc(10)), 5);
  await fillSendQueue(ends.b);
  const sent = ends.b.send('waits');
  ends.a.sendSync('there');
  assert.equal(ends.b.receiveSync(Buffer.alloc(10)), 5);
  assert.ok((await received).length > 0);
  while (ends.a.tryReceive(Buffer.alloc(64)) !== null) {}
  await sent;
});

test('blocking calls are not limited by the time slice of the turn', () => {
  using ends = socketPair();
  useUpTurn();
  for (let i = 0; i < 1000; i++) {
    ends.a.sendSync(String(i));
    assert.equal(String(ends.b.receiveMessageSync({ timeout: 0 }).data), String(i));
  }
});

/** Calls of each kind, each of which may have to wait for the other process. */
const anyReceive: ((socket: SeqpacketSocket) => Promise<Buffer> | Buffer)[] = [
  (socket) => socket.receiveMessageSync().data,
  async (socket) => (await socket.receiveMessage()).data,
  (socket) => socket.receiveManySync({ max: 1 })[0]!,
  async (socket) => (await socket.receiveMany({ max: 1 }))[0]!,
  (socket) => {
    const buffer = Buffer.alloc(100);
    return buffer.subarray(0, socket.receiveSync(buffer));
  },
  async (socket) => {
    await socket.wait('read');
    return socket.receiveMessageSync({ timeout: 0 }).data;
  },
];

const anySend: ((socket: SeqpacketSocket, text: string) => unknown)[] = [
  (socket, text) => socket.sendSync(text),
  (socket, text) => socket.send(text),
  (socket, text) => socket.sendManySync([text]),
  (socket, text) => socket.sendMany([text]),
];

async function connectedEcho(t: TestContext): Promise<SeqpacketSocket> {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  new Python(
    t,
    `
    import random, time
    sock = connect(args[0])
    while True:
        data = sock.recv(1000)
        if not data: break
        if random.random() < 0.5: time.sleep(random.random() / 200)
        sock.send(data)
    `,
    name,
  );
  return closing(t, await acceptor.accept());
}

test('blocking and asynchronous calls alternate, each of which may wait', {
  skip: missing('python3'),
}, async (t) => {
  const socket = await connectedEcho(t);
  let count = 0;
  for (let round = 0; round < 6; round++) {
    for (const receive of anyReceive) {
      for (const send of anySend) {
        const text = String(count++);
        await send(socket, text);
        assert.equal(String(await receive(socket)), text);
      }
    }
  }
});

test('blocking and asynchronous sends arrive in the order of the calls', {
  skip: missing('python3'),
}, async (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  const python = new Python(
    t,
    `
    import time
    sock = connect(args[0])
    numbers = []
    while len(numbers) < 4000:
        numbers.append(int(sock.recv(1000)))
        if len(numbers) % 300 == 0: time.sleep(0.005)
    say(numbers == list(range(4000)))
    `,
    name,
  );
  const socket = closing(t, await acceptor.accept());
  for (let count = 0; count < 4000; count++) {
    const send = anySend[Math.floor(count / 350) % anySend.length]!;
    await send(socket, String(count));
  }
  assert.equal(await python.says(), 'connected');
  assert.equal(await python.says(), true);
});

test('operations of other sockets that wait go on after a blocking call', {
  skip: missing('python3'),
}, async (t) => {
  const socket = await connectedEcho(t);
  const client = await connectedEcho(t);
  const received = socket.receiveMessage();
  await socket.send('one');
  client.sendSync('two');
  assert.equal(String(client.receiveMessageSync().data), 'two');
  assert.equal(String((await received).data), 'one');
});

test('connecting by blocking and asynchronous calls', async (t) => {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  for (const client of [connectSync(name), await connect(name)]) {
    closing(t, client);
    const server = closing(t, client.remotePath === name ? acceptor.acceptSync() : await acceptor.accept());
    client.sendSync('x');
    assert.equal(await receiveText(server), 'x');
  }
});
