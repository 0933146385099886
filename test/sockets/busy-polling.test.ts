/** Option busyPoll: a receive tries again and again before it waits. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listen, type SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { receiveText, settlesSoon, socketPair } from '../support/sockets.js';

const skip = missing('python3');

/** A connection with another process, which gives `count` messages back, each after `seconds`. */
async function answered(t: TestContext, count: number, seconds: number): Promise<SeqpacketSocket> {
  const name = abstractName();
  const acceptor = closing(t, listen(name));
  const peer = new Python(
    t,
    `import time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect('\\0' + args[0])
for i in range(args[1]):
    message = s.recv(100)
    time.sleep(args[2])
    s.send(message)
s.recv(1)`,
    name.slice(1),
    count,
    seconds,
  );
  return closing(t, await peer.meanwhile(acceptor.accept()));
}

test('it is 0 microseconds unless it is set', () => {
  using ends = socketPair();
  assert.equal(ends.a.getOption('busyPoll'), 0);
  for (const value of [50, 1, 0, 1_000_000]) {
    ends.a.setOption('busyPoll', value);
    assert.equal(ends.a.getOption('busyPoll'), value);
  }
  for (const value of [-1, 1.5, 1_000_001, '50', null])
    assert.throws(() => ends.a.setOption('busyPoll', value as never), {
      code: /^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
    });
  assert.equal(ends.a.getOption('busyPoll'), 1_000_000);
});

test('a message that arrives during polling is received without a turn of the event loop', {
  skip,
}, async (t) => {
  const socket = await answered(t, 5, 0.02);
  const turnsFor = async (microseconds: number) => {
    socket.setOption('busyPoll', microseconds);
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    await new Promise(setImmediate);
    setImmediate(count);
    await socket.send(Buffer.from('ping'));
    assert.equal(await receiveText(socket), 'ping');
    counting = false;
    return turns;
  };
  assert.equal(await turnsFor(1_000_000), 0);
  assert.notEqual(await turnsFor(0), 0);
  assert.equal(await turnsFor(1_000_000), 0);
});

test('after the polling time the receive waits for readiness', async () => {
  using ends = socketPair();
  ends.b.setOption('busyPoll', 500);
  for (let i = 0; i < 10; i++) {
    const received = receiveText(ends.b);
    assert.equal(await settlesSoon(received), false);
    await ends.a.send(Buffer.from(`late ${i}`));
    assert.equal(await received, `late ${i}`);
  }
});

test('a receive that is not to wait does not spin either', async () => {
  using ends = socketPair();
  ends.b.setOption('busyPoll', 1_000_000);
  const before = performance.now();
  assert.equal(ends.b.tryReceive(Buffer.alloc(1)), null);
  await assert.rejects(ends.b.receive(Buffer.alloc(1), { flags: 0x40 }), { code: 'EAGAIN' });
  assert.ok(performance.now() - before < 900, 'it spun');
});

test('the event loop turns while messages arrive continuously', { skip }, async (t) => {
  const socket = await answered(t, 2000, 0);
  socket.setOption('busyPoll', 1_000_000);
  let turns = 0;
  const immediate = () => {
    turns++;
    timer = setImmediate(immediate);
  };
  let timer = setImmediate(immediate);
  for (let i = 0; i < 2000; i++) {
    await socket.send(Buffer.from('ping'));
    await receiveText(socket, 100);
  }
  clearImmediate(timer);
  assert.ok(turns >= 2000 / 128 - 1, `${turns} turns`);
});

test('the event loop turns while every receive polls', { skip }, async (t) => {
  const socket = await answered(t, 100, 0.003);
  socket.setOption('busyPoll', 1_000_000);
  let withTurn = 0;
  for (let i = 0; i < 100; i++) {
    const turn = setImmediate(() => withTurn++);
    await socket.send(Buffer.from('ping'));
    await receiveText(socket, 100);
    clearImmediate(turn);
  }
  assert.ok(withTurn >= 50, `${withTurn} exchanges with a turn`);
});
