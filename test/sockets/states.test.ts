/** What every method of a socket does in every state that a socket can be in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import { connectedAt, fillBacklog, listeningAt } from '../support/sockets.js';

const listening = scratchPath('listening');
const acceptor = listeningAt(listening);
/** Where sockets connect to that nobody accepts. */
const elsewhere = scratchPath('elsewhere');
const idle = listeningAt(elsewhere);
test.after(() => {
  acceptor.close();
  idle.close();
});

/** Makes a socket in a state; `also` is closed after the test. */
type Make = (also: (...things: Disposable[]) => void) => SeqpacketSocket | Promise<SeqpacketSocket>;

const connected: Make = async (also) => {
  const [client, server] = await connectedAt(acceptor, listening);
  also(server);
  return client;
};

const states: Record<string, Make> = {
  'never opened': () => new SeqpacketSocket(),
  closed: () => {
    const socket = new SeqpacketSocket();
    socket.open();
    socket.close();
    return socket;
  },
  released: (also) => {
    const socket = new SeqpacketSocket();
    socket.open();
    also(socket.release());
    return socket;
  },
  open: () => {
    const socket = new SeqpacketSocket();
    socket.open();
    return socket;
  },
  bound: () => {
    const socket = new SeqpacketSocket();
    socket.open();
    socket.bind(scratchPath('bound'));
    return socket;
  },
  connecting: async (also) => {
    const path = scratchPath('full');
    also(listeningAt(path, 0));
    also(...(await fillBacklog(path)));
    const socket = new SeqpacketSocket();
    socket.connect(path).catch((error) => assert.equal(error.code, 'ECANCELED'));
    return socket;
  },
  connected,
  'peer closed': async () => {
    const [client, server] = await connectedAt(acceptor, listening);
    server.close();
    return client;
  },
  'shut: send': async (also) => {
    const socket = await connected(also);
    socket.shutdown('send');
    return socket;
  },
  'shut: receive': async (also) => {
    const socket = await connected(also);
    socket.shutdown('receive');
    return socket;
  },
  'shut: both': async (also) => {
    const socket = await connected(also);
    socket.shutdown('both');
    return socket;
  },
};

/** A signal that is aborted when the event loop has turned so often that whatever need not wait is done. */
function soon(): { signal: AbortSignal } {
  const controller = new AbortController();
  let turns = 0;
  const turn = () => {
    if (++turns === 10) controller.abort();
    else setImmediate(turn);
  };
  setImmediate(turn);
  return { signal: controller.signal };
}

const methods: Record<string, (socket: SeqpacketSocket) => unknown> = {
  open: (socket) => socket.open(),
  bind: (socket) => socket.bind(scratchPath('second')),
  connect: (socket) => socket.connect(elsewhere, soon()),
  disconnect: (socket) => socket.disconnect(),
  shutdown: (socket) => socket.shutdown('both'),
  receive: (socket) => socket.receive(Buffer.alloc(1), soon()),
  receiveWithFds: (socket) => socket.receiveWithFds(Buffer.alloc(1), 1, soon()),
  send: (socket) => socket.send(Buffer.alloc(1), soon()),
  sendWithFds: (socket) => socket.sendWithFds(Buffer.alloc(1), [0], soon()),
  receiveSync: (socket) => socket.receiveSync(Buffer.alloc(1), { timeout: 1 }),
  sendSync: (socket) => socket.sendSync('x', { timeout: 1 }),
  waitForReading: (socket) => socket.wait('read', soon()),
  waitForWriting: (socket) => socket.wait('write', soon()),
  setOption: (socket) => socket.setOption('sendBufferSize', 8192),
  getOption: (socket) => socket.getOption('sendBufferSize'),
  credentials: (socket) => socket.getOption('remoteCredentials'),
  ioControl: (socket) => socket.ioControl('bytesReadable'),
  assign: (socket) => {
    const [end, other] = SeqpacketSocket.pair();
    other.close();
    using fd = end.release();
    socket.assign(fd);
  },
  release: (socket) => socket.release().close(),
  cancel: (socket) => socket.cancel(),
  close: (socket) => socket.close(),
};

/** `waits`: it waits, until it is aborted or times out. */
// biome-ignore format: a table is read by its columns
const table = {
  columns:        ['never opened','closed','released','open',   'bound',   'connecting','connected','peer closed','shut: send','shut: receive','shut: both'],
  open:           ['ok',      'ok',      'ok',      'EALREADY', 'EALREADY','EALREADY',  'EALREADY', 'EALREADY',   'EALREADY',  'EALREADY',     'EALREADY'],
  bind:           ['EBADF',   'EBADF',   'EBADF',   'ok',       'EINVAL',  'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  connect:        ['ok',      'ok',      'ok',      'ok',       'ok',      'EALREADY',  'EISCONN',  'EISCONN',    'EISCONN',   'EISCONN',      'EISCONN'],
  disconnect:     ['EBADF',   'EBADF',   'EBADF',   'EINVAL',   'EINVAL',  'EINVAL',    'EINVAL',   'EINVAL',     'EINVAL',    'EINVAL',       'EINVAL'],
  shutdown:       ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  receive:        ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'waits',    'EOF',        'waits',     'EOF',          'EOF'],
  receiveWithFds: ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'waits',    'EOF',        'waits',     'EOF',          'EOF'],
  send:           ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'ok',       'EPIPE',      'EPIPE',     'ok',           'EPIPE'],
  sendWithFds:    ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'ok',       'EPIPE',      'EPIPE',     'ok',           'EPIPE'],
  receiveSync:    ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'waits',    'EOF',        'waits',     'EOF',          'EOF'],
  sendSync:       ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'ok',       'EPIPE',      'EPIPE',     'ok',           'EPIPE'],
  waitForReading: ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'waits',    'ok',         'waits',     'ok',           'ok'],
  waitForWriting: ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  setOption:      ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  getOption:      ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  credentials:    ['EBADF',   'EBADF',   'EBADF',   'ENOTCONN', 'ENOTCONN','ENOTCONN',  'ok',       'ok',         'ok',        'ok',           'ok'],
  ioControl:      ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  assign:         ['ok',      'ok',      'ok',      'EALREADY', 'EALREADY','EALREADY',  'EALREADY', 'EALREADY',   'EALREADY',  'EALREADY',     'EALREADY'],
  release:        ['EBADF',   'EBADF',   'EBADF',   'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  cancel:         ['ok',      'ok',      'ok',      'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
  close:          ['ok',      'ok',      'ok',      'ok',       'ok',      'ok',        'ok',       'ok',         'ok',        'ok',           'ok'],
};

test('the table covers every state and method', () => {
  const { columns, ...rows } = table;
  assert.deepEqual(columns, Object.keys(states));
  assert.deepEqual(Object.keys(rows), Object.keys(methods));
});

for (const [column, state] of table.columns.entries()) {
  for (const [method, call] of Object.entries(methods)) {
    const expected = table[method as keyof typeof table][column];
    test(`${method}, ${state}: ${expected}`, async () => {
      const cleanup: Disposable[] = [];
      const make = states[state] as Make;
      const socket = await make((...things) => cleanup.push(...things));
      const outcome = await (async () => call(socket))().then(
        () => 'ok',
        ({ code }: NodeJS.ErrnoException) => (code === 'ABORT_ERR' || code === 'ETIMEDOUT' ? 'waits' : code),
      );
      socket.close();
      for (const thing of cleanup) thing[Symbol.dispose]();
      assert.equal(outcome, expected);
    });
  }
}

for (const state of ['never opened', 'closed', 'released']) {
  test(`a socket that is ${state} has no descriptor and no names`, async () => {
    const make = states[state] as Make;
    const socket = await make((...things) => {
      for (const thing of things) thing[Symbol.dispose]();
    });
    assert.equal(socket.isOpen, false);
    assert.equal(socket.fd, -1);
    assert.equal(socket.localPath, '');
    assert.equal(socket.remotePath, '');
  });
}

test('a closed socket can be opened again', () => {
  const socket = new SeqpacketSocket();
  for (let times = 0; times < 3; times++) {
    socket.open();
    assert.equal(socket.isOpen, true);
    socket.close();
    socket.close();
    assert.equal(socket.isOpen, false);
  }
});

test('a released socket is only a descriptor, still connected', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const { fd } = a;
  using descriptor = a.release();
  assert.ok(descriptor instanceof FileDescriptor);
  assert.equal(descriptor.fd, fd);
  using again = new SeqpacketSocket(descriptor);
  await again.send(Buffer.from('x'));
  assert.equal(await b.receive(Buffer.alloc(1)), 1);
  b.close();
});
