/** Ending what waits: every promise settles exactly once, and no message is lost by it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageFlag, type SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { scratchPath } from '../support/scratch.js';
import {
  fillBacklog,
  fillSendQueue,
  listeningAt,
  receiveText,
  settlesSoon,
  useUpTurn,
} from '../support/sockets.js';

/** Operations that wait, and how to end the waiting of whatever they wait on. */
interface Waiting {
  endpoint: SeqpacketSocket | SeqpacketAcceptor;
  syscall: string;
  start(signal: AbortSignal): Promise<unknown>;
  cleanup: Disposable[];
  /** Proves that nothing was lost and that the endpoint, if it is still open, works. */
  check(): Promise<void>;
}

const kinds: Record<string, () => Promise<Waiting>> = {
  receives: async () => {
    const [a, b] = SeqpacketSocket.pair();
    return {
      endpoint: a,
      syscall: 'recvmsg',
      start: (signal) => a.receive(Buffer.alloc(10), { signal }),
      cleanup: [b],
      check: async () => {
        await b.send(Buffer.from('later'));
        assert.equal(await receiveText(a), 'later');
      },
    };
  },
  'receives with descriptors': async () => {
    const [a, b] = SeqpacketSocket.pair();
    return {
      endpoint: a,
      syscall: 'recvmsg',
      start: (signal) => a.receiveWithFds(Buffer.alloc(10), 5, { signal }),
      cleanup: [b],
      check: async () => {
        await b.sendWithFds(Buffer.from('later'), [0]);
        const { fds } = await a.receiveWithFds(Buffer.alloc(5), 1);
        assert.equal(fds.length, 1);
        fds[0]!.close();
      },
    };
  },
  sends: async () => {
    const [a, b] = SeqpacketSocket.pair();
    const queued = await fillSendQueue(a);
    return {
      endpoint: a,
      syscall: 'sendmsg',
      start: (signal) => a.sendWithFds(Buffer.from('never sent'), [0], { signal }),
      cleanup: [b],
      check: async () => {
        for (let i = 0; i < queued; i++) assert.equal(await b.receive(Buffer.alloc(64)), 64);
        await a.send(Buffer.from('later'));
        assert.equal(await receiveText(b), 'later');
      },
    };
  },
  connects: async () => {
    const path = scratchPath();
    const acceptor = listeningAt(path, 0);
    const queued = await fillBacklog(path);
    const socket = new SeqpacketSocket();
    return {
      endpoint: socket,
      syscall: 'connect',
      start: (signal) => socket.connect(path, { signal }),
      cleanup: [acceptor, ...queued],
      check: async () => {
        const later = socket.connect(path);
        for (const _ of queued) (await acceptor.accept()).close();
        await later;
      },
    };
  },
  accepts: async () => {
    const path = scratchPath();
    const acceptor = listeningAt(path);
    return {
      endpoint: acceptor,
      syscall: 'accept4',
      start: (signal) => acceptor.accept({ signal }),
      cleanup: [],
      check: async () => {
        using client = new SeqpacketSocket();
        await client.connect(path);
        (await acceptor.accept()).close();
      },
    };
  },
};

const endings: Record<
  string,
  (waiting: Waiting, controller: AbortController) => { open: boolean; code: string }
> = {
  'cancel()': ({ endpoint }) => {
    endpoint.cancel();
    return { open: true, code: 'ECANCELED' };
  },
  'close()': ({ endpoint }) => {
    endpoint.close();
    return { open: false, code: 'ECANCELED' };
  },
  'release()': (waiting) => {
    waiting.cleanup.push(waiting.endpoint.release());
    return { open: false, code: 'ECANCELED' };
  },
  'an aborted signal': (_, controller) => {
    controller.abort(new Error('the reason'));
    return { open: true, code: 'ABORT_ERR' };
  },
};

/** Counts how often a promise settles, as far as JavaScript lets one see. */
function outcomes(promise: Promise<unknown>): unknown[] {
  const seen: unknown[] = [];
  promise.then(
    (value) => seen.push({ value }),
    (error) => seen.push(error),
  );
  return seen;
}

for (const [kind, prepare] of Object.entries(kinds)) {
  for (const [name, end] of Object.entries(endings)) {
    test(`${name} while ${kind} wait`, async () => {
      const waiting = await prepare();
      const controller = new AbortController();
      const count = kind === 'connects' ? 1 : 3;
      const promises = Array.from({ length: count }, () => waiting.start(controller.signal));
      const seen = promises.map(outcomes);
      assert.equal(await settlesSoon(Promise.race(promises)), false, 'they wait');

      const { open, code } = end(waiting, controller);
      await Promise.allSettled(promises);
      for (const each of seen) {
        assert.equal(each.length, 1);
        const error = each[0] as NodeJS.ErrnoException;
        assert.equal(error.code, code);
        if (code === 'ECANCELED') assert.equal(error.syscall, waiting.syscall);
        else assert.equal((error.cause as Error).message, 'the reason');
      }
      assert.equal(waiting.endpoint.isOpen, open);
      if (open) await waiting.check();
      waiting.endpoint.close();
      for (const thing of waiting.cleanup) thing[Symbol.dispose]();
      for (const each of seen) assert.equal(each.length, 1);
    });
  }
}

test('shutdown of receiving ends the receives that wait', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const received = [a.receive(Buffer.alloc(1)), a.receive(Buffer.alloc(1))];
  a.shutdown('receive');
  for (const each of received) await assert.rejects(each, { code: 'EOF' });
  await assert.rejects(b.send(Buffer.alloc(1)), { code: 'EPIPE' });
  a.close();
  b.close();
});

test('shutdown of sending ends waiting sends, and sent messages arrive', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const queued = await fillSendQueue(a);
  const sent = [a.send(Buffer.alloc(1)), a.send(Buffer.alloc(1))];
  assert.equal(await settlesSoon(Promise.race(sent)), false);
  a.shutdown('send');
  for (const each of sent) await assert.rejects(each, { code: 'EPIPE', syscall: 'sendmsg' });
  for (let i = 0; i < queued; i++) await b.receive(Buffer.alloc(64));
  await assert.rejects(b.receive(Buffer.alloc(64)), { code: 'EOF' });
  a.close();
  b.close();
});

test('the peer’s close ends receives and sends that wait', async () => {
  const [a, b] = SeqpacketSocket.pair();
  await fillSendQueue(a);
  const sent = a.send(Buffer.alloc(1));
  const received = a.receive(Buffer.alloc(1));
  assert.equal(await settlesSoon(Promise.race([sent, received])), false);
  b.close();
  await assert.rejects(sent, { code: /EPIPE|ECONNRESET/ });
  await assert.rejects(received, { code: /EOF|ECONNRESET/ });
  a.close();
});

test('an abort takes out its own operation only, and the others keep their order', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const controller = new AbortController();
  const buffers = [0, 1, 2].map(() => Buffer.alloc(10));
  const first = a.receive(buffers[0]!);
  const second = a.receive(buffers[1]!, { signal: controller.signal });
  const third = a.receive(buffers[2]!);
  controller.abort();
  await assert.rejects(second, { name: 'AbortError', code: 'ABORT_ERR' });
  await b.send(Buffer.from('one'));
  await b.send(Buffer.from('two'));
  assert.equal(buffers[0]!.toString('utf8', 0, await first), 'one');
  assert.equal(buffers[2]!.toString('utf8', 0, await third), 'two');
  a.close();
  b.close();
});

test('an operation that must not wait is refused at once behind one that waits', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const waiting = a.receive(Buffer.alloc(64));
  await assert.rejects(a.receive(Buffer.alloc(64), { flags: MessageFlag.dontWait }), {
    code: 'EAGAIN',
    syscall: 'recvmsg',
  });
  await fillSendQueue(b);
  const full = assert.rejects(b.send(Buffer.alloc(64)), { code: 'ECANCELED' });
  await assert.rejects(b.send(Buffer.alloc(64), { flags: MessageFlag.dontWait }), {
    code: 'EAGAIN',
    syscall: 'sendmsg',
  });
  await waiting;
  b.cancel();
  await full;
  a.close();
  b.close();
});

test('an operation that must not wait is refused when the one before it has to wait', async () => {
  const [a, b] = SeqpacketSocket.pair();
  useUpTurn();
  // Both are put off to the next turn; only there the first one is found to have to wait.
  const waiting = assert.rejects(a.receive(Buffer.alloc(1)), { code: 'ECANCELED' });
  const impatient = a.receive(Buffer.alloc(1), { flags: MessageFlag.dontWait });
  await assert.rejects(impatient, { code: 'EAGAIN', syscall: 'recvmsg' });
  a.cancel();
  await waiting;
  a.close();
  b.close();
});

test('a send that has failed already can still be cancelled', async () => {
  const [a, b] = SeqpacketSocket.pair();
  await fillSendQueue(a);
  const waiting = a.send(Buffer.alloc(1));
  const failed = a.sendWithFds(Buffer.alloc(1), [99_999]);
  assert.equal(await settlesSoon(failed), false);
  a.cancel();
  for (const each of [waiting, failed]) await assert.rejects(each, { code: 'ECANCELED', syscall: 'sendmsg' });
  a.close();
  b.close();
});

test('a signal that is aborted already rejects before anything happens', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const signal = AbortSignal.abort('why');
  await b.send(Buffer.from('stays'));
  await assert.rejects(a.receive(Buffer.alloc(10), { signal }), { name: 'AbortError', cause: 'why' });
  await assert.rejects(a.send(Buffer.from('never'), { signal }), { name: 'AbortError' });
  const socket = new SeqpacketSocket();
  await assert.rejects(socket.connect('/nowhere', { signal }), { name: 'AbortError' });
  assert.equal(socket.isOpen, false);
  assert.equal(await receiveText(a), 'stays');
  assert.equal(b.ioControl('bytesReadable'), 0);
  a.close();
  b.close();
});

test('a signal leaves no listener behind, however often it is used', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (let i = 0; i < 50; i++) {
    const received = a.receive(Buffer.alloc(1), { signal });
    assert.equal(listeners, 1);
    await b.send(Buffer.alloc(1));
    await received;
    assert.equal(listeners, 0);
  }
  controller.abort();
  await b.send(Buffer.from('!'));
  assert.equal(await receiveText(a), '!');
  a.close();
  b.close();
});

test('one signal for many operations raises no warning, and aborts them in their order', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const controller = new AbortController();
  const pairs = Array.from({ length: 30 }, () => SeqpacketSocket.pair());
  const order: number[] = [];
  const outcomes = pairs.map(([a], index) =>
    a.receive(Buffer.alloc(1), { signal: controller.signal }).catch((error) => {
      assert.equal(error.code, 'ABORT_ERR');
      order.push(index);
    }),
  );
  controller.abort();
  await Promise.all(outcomes);
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  assert.deepEqual(order, [...pairs.keys()]);
  for (const [a, b] of pairs) {
    a.close();
    b.close();
  }
});

test('an operation that fails before it waits does not overtake those that wait', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const queued = await fillSendQueue(a);
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  const all = [
    a.send(Buffer.from('first')).then(note('first')),
    a.sendWithFds(Buffer.from('second'), [99_999]).catch((error) => {
      assert.equal(`${error.syscall} ${error.code}`, 'sendmsg EBADF');
      note('second')();
    }),
    a.send(Buffer.from('third')).then(note('third')),
  ];
  for (let i = 0; i < queued; i++) await b.receive(Buffer.alloc(64));
  await Promise.all(all);
  assert.deepEqual(order, ['first', 'second', 'third']);
  assert.equal(await receiveText(b), 'first');
  assert.equal(await receiveText(b), 'third');
  a.close();
  b.close();
});

test('the error of a cancelled operation names the address', async () => {
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const accepted = acceptor.accept();
  acceptor.cancel();
  await assert.rejects(accepted, { code: 'ECANCELED', address: path });
  using client = new SeqpacketSocket();
  await client.connect(path);
  const received = client.receive(Buffer.alloc(1));
  client.close();
  await assert.rejects(received, { code: 'ECANCELED', syscall: 'recvmsg', address: path });
});

test('cancel with nothing pending is not remembered', async () => {
  const [a, b] = SeqpacketSocket.pair();
  a.cancel();
  await b.send(Buffer.from('x'));
  assert.equal(await receiveText(a), 'x');
  a.close();
  b.close();
});

test('messages that were sent just before a cancel stay queued', async () => {
  const [a, b] = SeqpacketSocket.pair();
  for (let i = 0; i < 2000; i++) {
    const received = a.receive(Buffer.alloc(4));
    const message = Buffer.alloc(4);
    message.writeInt32LE(i);
    await b.send(message);
    a.cancel();
    const buffer = Buffer.alloc(4);
    try {
      await received;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ECANCELED');
      assert.equal(await a.receive(buffer), 4);
      assert.equal(buffer.readInt32LE(), i);
    }
  }
  a.close();
  b.close();
});
