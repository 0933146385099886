import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { listeningAt, receiveText, settlesSoon } from '../support/sockets.js';

test('accept waits for a connection', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const accepted = acceptor.accept();
  assert.equal(await settlesSoon(accepted), false);
  using client = new SeqpacketSocket();
  await client.connect(path);
  using server = await accepted;
  assert.ok(server instanceof SeqpacketSocket);
});

test('several accepts may wait, and are served in their order', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const order: number[] = [];
  const accepted = [0, 1, 2].map(async (index) => {
    const socket = await acceptor.accept();
    order.push(index);
    return [socket, await receiveText(socket)] as const;
  });
  const clients: SeqpacketSocket[] = [];
  for (const index of [0, 1, 2]) {
    const client = new SeqpacketSocket();
    clients.push(client);
    await client.connect(path);
    await client.send(Buffer.from(`client ${index}`));
  }
  const sockets = await Promise.all(accepted);
  assert.deepEqual(order, [0, 1, 2]);
  assert.deepEqual(
    sockets.map(([, text]) => text),
    ['client 0', 'client 1', 'client 2'],
  );
  for (const socket of [...clients, ...sockets.map(([socket]) => socket)]) socket.close();
});

test('a client that came, sent and went before it was accepted is received whole', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const client = new SeqpacketSocket();
  await client.connect(path);
  await client.send(Buffer.from('was here'));
  client.close();
  using server = await acceptor.accept();
  assert.equal(await receiveText(server), 'was here');
  await assert.rejects(receiveText(server), { code: 'EOF' });
});

test('return() ends the waiting steps of an iterator, and leaves the next client in the backlog', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const iterator = acceptor[Symbol.asyncIterator]();
  const steps = [iterator.next(), iterator.next()];
  const done = { done: true, value: undefined };
  assert.deepEqual(await iterator.return?.(), done);
  assert.deepEqual(await Promise.all(steps), [done, done]);
  using client = new SeqpacketSocket();
  await client.connect(path);
  using server = await acceptor.accept();
  await server.send(Buffer.from('welcome'));
  assert.equal(await receiveText(client), 'welcome');
  assert.deepEqual(await iterator.next(), done);
});

test('a subscriber of seqpacket:accept may close the acceptor, and the connection is not lost', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const close = () => acceptor.close();
  subscribe('seqpacket:accept', close);
  try {
    const accepted = acceptor.accept();
    using client = new SeqpacketSocket();
    await client.connect(path);
    using server = await accepted;
    assert.equal(acceptor.isOpen, false);
    await server.send(Buffer.from('welcome'));
    assert.equal(await receiveText(client), 'welcome');
  } finally {
    unsubscribe('seqpacket:accept', close);
  }
});

test('the backlog can be changed while it listens', async () => {
  using acceptor = listeningAt(scratchPath(), 1);
  acceptor.listen(5);
});

test('a connection that is never accepted is reset when the acceptor closes', async () => {
  const path = scratchPath();
  const acceptor = listeningAt(path);
  using client = new SeqpacketSocket();
  await client.connect(path);
  acceptor.close();
  await assert.rejects(client.receive(Buffer.alloc(1)), { code: 'ECONNRESET' });
  await assert.rejects(client.receive(Buffer.alloc(1)), { code: 'EOF' });
});

test('an acceptor has its options', () => {
  using acceptor = listeningAt(scratchPath());
  assert.equal(acceptor.getOption('debug'), false);
  assert.equal(acceptor.getOption('enableConnectionAborted'), false);
  acceptor.setOption('enableConnectionAborted', true);
  assert.equal(acceptor.getOption('enableConnectionAborted'), true);
  assert.throws(() => acceptor.setOption('enableConnectionAborted', 1 as never), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
});

const states: [string, () => SeqpacketAcceptor][] = [
  ['never opened', () => new SeqpacketAcceptor()],
  [
    'closed',
    () => {
      const acceptor = listeningAt(scratchPath());
      acceptor.close();
      return acceptor;
    },
  ],
  [
    'released',
    () => {
      const acceptor = listeningAt(scratchPath());
      acceptor.release().close();
      return acceptor;
    },
  ],
  [
    'open',
    () => {
      const acceptor = new SeqpacketAcceptor();
      acceptor.open();
      return acceptor;
    },
  ],
  [
    'bound',
    () => {
      const acceptor = new SeqpacketAcceptor();
      acceptor.open();
      acceptor.bind(scratchPath());
      return acceptor;
    },
  ],
  ['listening', () => listeningAt(scratchPath())],
];
const methods: [string, (acceptor: SeqpacketAcceptor) => unknown][] = [
  ['open', (acceptor) => acceptor.open()],
  ['bind', (acceptor) => acceptor.bind(scratchPath('second'))],
  ['listen', (acceptor) => acceptor.listen()],
  ['accept', (acceptor) => acceptor.accept({ signal: AbortSignal.timeout(20) })],
  ['setOption', (acceptor) => acceptor.setOption('enableConnectionAborted', true)],
  ['getOption', (acceptor) => acceptor.getOption('debug')],
  ['cancel', (acceptor) => acceptor.cancel()],
  ['release', (acceptor) => acceptor.release().close()],
  ['close', (acceptor) => acceptor.close()],
];
// prettier-ignore
// biome-ignore format: a table is read by its columns
const table: Record<string, string[]> = {
  //               open        bind      listen    accept      setOption getOption cancel release  close
  'never opened': ['ok',       'EBADF',  'EBADF',  'EBADF',    'EBADF',  'EBADF',  'ok',  'EBADF', 'ok'],
  closed:         ['ok',       'EBADF',  'EBADF',  'EBADF',    'EBADF',  'EBADF',  'ok',  'EBADF', 'ok'],
  released:       ['ok',       'EBADF',  'EBADF',  'EBADF',    'EBADF',  'EBADF',  'ok',  'EBADF', 'ok'],
  open:           ['EALREADY', 'ok',     'EINVAL', 'EINVAL',   'ok',     'ok',     'ok',  'ok',    'ok'],
  bound:          ['EALREADY', 'EINVAL', 'ok',     'EINVAL',   'ok',     'ok',     'ok',  'ok',    'ok'],
  listening:      ['EALREADY', 'EINVAL', 'ok',     'ABORT_ERR','ok',     'ok',     'ok',  'ok',    'ok'],
};
for (const [state, make] of states) {
  for (const [column, [method, call]] of methods.entries()) {
    const expected = table[state]?.[column];
    test(`${method} of an acceptor that is ${state}: ${expected}`, async () => {
      using acceptor = make();
      const outcome = await (async () => call(acceptor))().then(
        () => 'ok',
        (error: NodeJS.ErrnoException) => error.code,
      );
      assert.equal(outcome, expected);
    });
  }
}
