/** diagnostics_channel, counters, and the context of AsyncLocalStorage. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { connect, listen, pair, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { fillBacklog, fillSendQueue, socketPair } from '../support/sockets.js';

/** What is published on the library's channels while something runs. */
async function published(work: () => Promise<void>): Promise<[string, Record<string, unknown>][]> {
  const seen: [string, Record<string, unknown>][] = [];
  const names = ['connect', 'accept', 'close', 'error'].map((name) => `seqpacket:${name}`);
  const onMessage = (message: unknown, name: string | symbol) =>
    seen.push([String(name), message as Record<string, unknown>]);
  for (const name of names) subscribe(name, onMessage);
  await work();
  for (const name of names) unsubscribe(name, onMessage);
  return seen;
}

test('channels publish connects, accepts, closes and errors', async () => {
  const path = scratchPath();
  const acceptor = listen(path);
  let client: SeqpacketSocket | undefined;
  let server: SeqpacketSocket | undefined;
  const seen = await published(async () => {
    client = await connect(path);
    server = await acceptor.accept();
    await client.receive(Buffer.alloc(1), { flags: 0x40 }).catch(() => undefined);
    server.close();
    await client.receive(Buffer.alloc(1)).catch(() => undefined);
    await client.send(Buffer.alloc(1)).catch(() => undefined);
    client.close();
    acceptor.close();
  });
  assert.deepEqual(
    seen.map(([name, { error }]) => [name, (error as NodeJS.ErrnoException | undefined)?.code]),
    [
      ['seqpacket:connect', undefined],
      ['seqpacket:accept', undefined],
      ['seqpacket:error', 'EAGAIN'],
      ['seqpacket:close', undefined],
      ['seqpacket:error', 'EPIPE'],
      ['seqpacket:close', undefined],
      ['seqpacket:close', undefined],
    ],
  );
  assert.equal(seen[0]![1]['socket'], client);
  assert.deepEqual(seen[1]![1], { acceptor, socket: server });
  assert.deepEqual(
    seen.filter(([name]) => name === 'seqpacket:close').map(([, { endpoint }]) => endpoint),
    [server, client, acceptor],
  );
});

test('an error of an operation that waited is published too; cancelling and aborting are none', async () => {
  const seen = await published(async () => {
    const [a, b] = pair();
    await fillSendQueue(a).catch(() => undefined);
    const sent = a.send(Buffer.alloc(1)).catch(() => undefined);
    const aborted = a.send(Buffer.alloc(1), { signal: AbortSignal.timeout(1) }).catch(() => undefined);
    await aborted;
    a.shutdown('send');
    await sent;
    const received = a.receive(Buffer.alloc(1)).catch(() => undefined);
    a.cancel();
    await received;
    a.close();
    b.close();
  });
  const codes = seen
    .filter(([name]) => name === 'seqpacket:error')
    .map(([, { error }]) => (error as NodeJS.ErrnoException).code);
  assert.deepEqual(codes, ['EAGAIN', 'EPIPE']);
});

test('counters count messages and bytes of all methods', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const buffer = Buffer.alloc(100);
  await a.send(Buffer.alloc(10));
  await b.receive(buffer, { flags: 2 });
  await b.receive(buffer);
  await a.sendWithFds(Buffer.alloc(20), [0]);
  (await b.receiveWithFds(buffer, 1)).fds[0]!.close();
  a.trySend(Buffer.alloc(3));
  b.tryReceive(buffer);
  await a.sendMany([Buffer.alloc(1), Buffer.alloc(2)]);
  await b.receiveMany();
  await a.send(Buffer.alloc(50));
  await assert.rejects(b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  assert.equal(b.counters.messagesReceived, 5);
  await b.receiveMessage();
  assert.deepEqual(a.counters, {
    messagesSent: 6,
    bytesSent: 86,
    messagesReceived: 0,
    bytesReceived: 0,
    pendingSends: 0,
    pendingReceives: 0,
  });
  assert.deepEqual(b.counters, {
    messagesSent: 0,
    bytesSent: 0,
    messagesReceived: 6,
    bytesReceived: 86,
    pendingSends: 0,
    pendingReceives: 0,
  });
});

test('counters count waiting operations', async () => {
  const [a, b] = pair();
  const received = [1, 2, 3].map(() => a.receive(Buffer.alloc(1)).catch(() => undefined));
  await fillSendQueue(a);
  const sent = [1, 2].map(() => a.send(Buffer.alloc(1)).catch(() => undefined));
  assert.equal(a.counters.pendingReceives, 3);
  assert.equal(a.counters.pendingSends, 2);
  a.cancel();
  await Promise.all([...received, ...sent]);
  assert.equal(a.counters.pendingReceives + a.counters.pendingSends, 0);
  a.close();
  b.close();
  assert.throws(() => a.counters, { code: 'EBADF' });
});

test('the context of AsyncLocalStorage is kept across every awaited operation', async () => {
  const storage = new AsyncLocalStorage<string>();
  const path = scratchPath();
  using acceptor = listen(path, { backlog: 0 });
  const queued = await fillBacklog(path);
  using ends = socketPair();
  const full = await fillSendQueue(ends.a);
  const within = (name: string, operation: () => Promise<unknown>) =>
    storage.run(name, async () => {
      const result = await operation().catch(() => undefined);
      assert.equal(storage.getStore(), name);
      return result;
    });
  const all = [
    within('receive', () => ends.a.receive(Buffer.alloc(10))),
    within('receiveWithFds', () => ends.a.receiveWithFds(Buffer.alloc(10), 1)),
    within('receiveMessage', () => ends.a.receiveMessage()),
    within('receiveMany', () => ends.a.receiveMany({ max: 1 })),
    within('iterate', () => ends.a[Symbol.asyncIterator]().next()),
    within('send', () => ends.a.send(Buffer.alloc(1))),
    within('sendMany', () => ends.a.sendMany([Buffer.alloc(1), Buffer.alloc(1)])),
    within('connect', () => connect(path)),
    within('aborted', () => ends.a.receive(Buffer.alloc(1), { signal: AbortSignal.timeout(5) })),
  ];
  for (let i = 0; i < 5; i++) await ends.b.send(Buffer.from('x'));
  for (let i = 0; i < full; i++) await ends.b.receive(Buffer.alloc(64));
  for (const _ of queued) (await acceptor.accept()).close();
  const accepted = within('accept', () => acceptor.accept());
  const last = new SeqpacketSocket();
  await last.connect(path);
  for (const result of await Promise.all([...all, accepted])) {
    if (result instanceof SeqpacketSocket) result.close();
  }
  for (const each of [...queued, last]) each.close();
});

test('a subscriber may close, release or cancel the published socket', async () => {
  const seen: string[] = [];
  for (const action of ['close', 'release', 'cancel'] as const) {
    const [a, b] = pair();
    const waiting = assert.rejects(a.receive(Buffer.alloc(1)), { code: 'ECANCELED' });
    const onClose = (message: unknown) => {
      const { endpoint } = message as { endpoint: SeqpacketSocket };
      if (endpoint !== a) return;
      seen.push(`${action}: open ${endpoint.isOpen}`);
      if (action === 'release')
        assert.throws(() => endpoint.release(), { code: 'EBADF', syscall: 'release' });
      else endpoint[action]();
    };
    subscribe('seqpacket:close', onClose);
    a.close();
    unsubscribe('seqpacket:close', onClose);
    await waiting;
    assert.equal(a.isOpen, false);
    b.close();
  }
  assert.deepEqual(seen, ['close: open true', 'release: open true', 'cancel: open true']);
});

test('a subscriber that closes on an error does not change the order in which promises settle', async () => {
  const [a, b] = pair();
  const settled: string[] = [];
  const note = (name: string) => (error: NodeJS.ErrnoException) => settled.push(`${name} ${error.code}`);
  const onError = () => a.close();
  subscribe('seqpacket:error', onError);
  const done = ['first', 'second', 'third'].map((name) => a.receive(Buffer.alloc(1)).catch(note(name)));
  await b.send('longer');
  await Promise.all(done);
  unsubscribe('seqpacket:error', onError);
  assert.deepEqual(settled, ['first EMSGSIZE', 'second ECANCELED', 'third ECANCELED']);
  b.close();
});
