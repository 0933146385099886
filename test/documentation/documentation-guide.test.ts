/** The programs of README, of the guide and of "Coming from" run as they stand there, and print what it says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext, test } from 'node:test';
import { connect, listen, type SeqpacketAcceptor } from 'seqpacket';
import { descriptorsOf, guide, Page, type Program, withGo, withPython } from '../support/documentation.js';
import { missing } from '../support/programs.js';

const pages = new Map(guide.map((document) => [document, new Page(document)]));

function page(name: string): Page {
  const found = pages.get(name);
  if (found === undefined) throw new Error(`There is no ${name}`);
  return found;
}

const TIMEOUT = { timeout: 30_000 };

/** A client that disconnects without having received its answer makes the server's send fail. */
async function closesWhatClientsLeave(
  t: TestContext,
  of: Page,
  file: string,
  path: string,
  question: string,
): Promise<void> {
  const server = await of.serve(t, file, path);
  const before = descriptorsOf(server);
  for (let client = 0; client < 100; client++) {
    using socket = await connect(of.here(path));
    await socket.sendMany([question, question, question].map((each) => Buffer.from(each)));
  }
  // Without a leak, the few that Node.js itself opens later are all that is added.
  const most = before + 20;
  const end = Date.now() + 5000;
  let open = descriptorsOf(server);
  for (; open > most && Date.now() < end; open = descriptorsOf(server)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(open <= most, `${open} are open, ${before} were`);
  assert.doesNotMatch(server.said, /COLLECTED/);
  await server.stop();
}

describe('README', TIMEOUT, () => {
  const readme = page('README.md');

  it('the quick start is ten lines of server, five lines of client', async (t) => {
    await readme.serve(t, 'server.mjs', '/tmp/greeter.socket');
    assert.equal(await readme.run(t, 'client.mjs'), `Hello Ada, user ${process.getuid?.()}\n`);
    assert.ok(lines('server.mjs') <= 10);
    assert.ok(lines('client.mjs') <= 5);
  });

  it('the server closes the connections of clients that leave early', (t) =>
    closesWhatClientsLeave(t, readme, 'server.mjs', '/tmp/greeter.socket', 'Ada'));

  function lines(name: string): number {
    const { text } = readme.blocks.find(({ file }) => file === name)!;
    return text.trim().split('\n').slice(1).filter(Boolean).length;
  }
});

test('the home page', TIMEOUT, async (t) => {
  const home = page('docs/index.md');
  await closesWhatClientsLeave(t, home, 'server.mjs', '/tmp/hello.socket', 'Ada');
  await home.serve(t, 'server.mjs', '/tmp/hello.socket');
  assert.equal(await home.run(t, 'client.mjs'), 'Hello Ada\n');
});

describe('a first server and client', TIMEOUT, () => {
  const first = page('docs/guide/first.md');

  it('sums, one after the other and several at once', async (t) => {
    const server = await first.serve(t, 'server.mjs', '/tmp/sums.socket');
    assert.equal(await first.run(t, 'client.mjs'), '6\n');
    assert.equal(await first.run(t, 'several.mjs'), '[ 3, 7, 11 ]\n');
    assert.equal(await first.run(t, 'timeout.mjs'), '3\n7\n');
    assert.equal(await first.run(t, 'client.ts'), '6\n');
    await server.stop();
    assert.equal(existsSync(first.here('/tmp/sums.socket')), false);
  });

  it('the server closes the connections of clients that leave early', (t) =>
    closesWhatClientsLeave(t, first, 'server.mjs', '/tmp/sums.socket', '[1, 2]'));

  it('one bad client does not end the server', async (t) => {
    const path = first.here('/tmp/sums.socket');
    const server = await first.serve(t, 'server.mjs', '/tmp/sums.socket');
    using bad = await connect(path);
    await bad.send(Buffer.from('no JSON'));
    await assert.rejects(bad.receiveMessage(), { code: 'EOF' });
    assert.equal(await first.run(t, 'client.mjs'), '6\n');
    await server.until(() => server.said.includes('SyntaxError'));
    await server.stop();
  });

  it('a late answer is not matched with the next request', async (t) => {
    using acceptor = listen(first.here('/tmp/sums.socket'));
    const client = first.start(t, 'timeout.mjs');
    using slow = await acceptor.accept();
    await slow.receiveMessage();
    await client.until(() => client.printed === 'ABORT_ERR TimeoutError\n');
    await slow.send(Buffer.from('3')).catch(() => {});
    const requested = slow.receiveMessage().then(
      () => slow.send(Buffer.from('7')),
      () => answerWith(acceptor, '7'),
    );
    assert.equal(await client.output, 'ABORT_ERR TimeoutError\n7\n');
    await requested;
  });

  async function answerWith(acceptor: SeqpacketAcceptor, answer: string): Promise<void> {
    using socket = await acceptor.accept();
    await socket.receiveMessage();
    await socket.send(Buffer.from(answer));
    await socket.receiveMessage().catch(() => {});
  }

  it('a request that could not be sent leaves nothing behind that could end the process', async (t) => {
    const { text } = first.blocks.find(({ file }) => file === 'several.mjs')!;
    const program = text
      .replace(
        /^console\.log.*$/m,
        'await socket.receiveMessage().catch(() => sum(1)).catch((error) => console.log(error.code));',
      )
      .replace('socket.close();', "setTimeout(() => console.log('still alive'), 50);");
    writeFileSync(`${first.directory}/unsent.mjs`, first.here(program));
    using acceptor = listen(first.here('/tmp/sums.socket'));
    acceptor.accept().then((socket) => socket.close());
    assert.equal(await first.run(t, 'unsent.mjs'), 'EPIPE\nstill alive\n');
  });
});

const uid = process.getuid?.();

/** Programs that need nobody else. */
const OUTPUTS: Record<string, Record<string, string | RegExp>> = {
  'docs/guide/descriptors.md': {
    'descriptors.mjs': `the name of this machine – ${readFileSync('/etc/hostname', 'utf8').trim()}\n`,
  },
  'docs/guide/identity.md': {
    'doors.mjs': '660\ntrue true number true\n',
    'refusals.mjs':
      'refused by maxConnections true\nEOF\n{ accepted: 1, refused: 1, pendingAccepts: 1 }\nECANCELED\n',
    'senders.mjs': 'true true\n',
    'pidfd.mjs': /^true\n$|^This kernel has no/,
  },
  'docs/guide/back-pressure.md': {
    'too-fast.mjs': 'true\n1\n0 one more\n',
    'batches.mjs': '100 100\n',
    'slots.mjs': '64 438\n',
  },
  'docs/guide/errors.md': {
    'ends.mjs': 'the last words\nEOF recvmsg\nan answer\n',
    'too-long.mjs': 'EMSGSIZE 5000\n5000\n5000\n',
    'empty.mjs': '0\nEOF\n',
    'giving-up.mjs': 'ABORT_ERR – not needed any more\nECANCELED\nstill there\n',
    'codes.ts': 'ENOENT connect true\n',
    'watching.mjs': /^failed: connect ENOENT: no such file or directory .*nobody\.socket\n$/,
  },
  'docs/guide/streams.md': {
    'socket-into-file.mjs': 'one\ntwo\nthree\n\n',
    'pipeline.mjs': 'ONE\nTWO\nTHREE\n',
    'file-as-messages.mjs': '1000000\n',
  },
  'docs/guide/workers.md': { 'main.mjs': '9592\n' },
};

for (const [document, outputs] of Object.entries(OUTPUTS)) {
  describe(document, TIMEOUT, () => {
    for (const [file, expected] of Object.entries(outputs)) {
      it(`${file} prints the documented output`, async (t) => {
        const output = await page(document).run(t, file);
        if (typeof expected === 'string') assert.equal(output, expected);
        else assert.match(output, expected);
      });
    }
  });
}

page('docs/guide/workers.md').uses('worker.mjs');

describe('child processes', TIMEOUT, () => {
  const children = page('docs/guide/child-processes.md');

  it('in Python', withPython, async (t) => {
    assert.equal(await children.run(t, 'parent.mjs'), 'HELLO\n');
  });

  it('in Node.js', async (t) => {
    children.uses('node-child.mjs');
    assert.equal(await children.run(t, 'node-parent.mjs'), 'ONE\nTWO\n');
  });
});

describe('synchronous calls', TIMEOUT, () => {
  const calls = page('docs/guide/synchronous-calls.md');

  it('into a child in Python', withPython, async (t) => {
    assert.equal(await calls.run(t, 'python-sum.ts'), '6\n9\n');
  });

  it('into a child in Node.js', async (t) => {
    calls.uses('lookup-child.mjs');
    assert.equal(await calls.run(t, 'hostname.ts'), "[ { address: '127.0.0.1', family: 4 } ]\n");
  });

  it('an answer that comes late is skipped', withPython, async (t) => {
    assert.equal(await calls.run(t, 'late.ts'), 'ETIMEDOUT\nslept 0 s\n');
  });

  it('callbacks are answered during the call', withPython, async (t) => {
    assert.equal(await calls.run(t, 'compile.ts'), 'Dear Ada, hello.\n');
  });

  it('workers get their tasks by blocking calls', async (t) => {
    calls.uses('counter.mjs');
    const output = await calls.run(t, 'pool.mjs');
    const counts = { 10000: 1229, 20000: 2262, 30000: 3245, 40000: 4203, 50000: 5133, 60000: 6057 };
    assert.deepEqual(JSON.parse(output.replaceAll(/'?(\d+)'?:/g, '"$1":')), counts);
  });

  it('a handler of SIGINT runs between two calls', async (t) => {
    const program = calls.start(t, 'interruptible.mjs');
    await program.until(() => program.printed === 'waits for messages\n');
    program.child.kill('SIGINT');
    assert.equal(await program.output, 'waits for messages\nstopped\n');
  });
});

describe('when the socket is the limit', TIMEOUT, () => {
  const shared = page('docs/guide/shared-memory.md');

  it('samples arrive, whole and in order', async (t) => {
    shared.uses('sensor.mjs');
    assert.equal(await shared.run(t, 'samples.ts'), '100000 4999950000\n');
  });

  it('frames are made and read in place', async (t) => {
    shared.uses('camera.mjs');
    const expected = [0, 1, 2, 3, 4].map((number) => `1048576 ${number} ${number}\n`).join('');
    assert.equal(await shared.run(t, 'frames.ts'), expected);
  });
});

describe('systemd', TIMEOUT, () => {
  const systemd = page('docs/guide/systemd.md');
  const withSystemd = { skip: missing('systemd-socket-activate') };

  function activate(t: TestContext, file: string, ...options: string[]): Program {
    const kept = ['LD_PRELOAD', 'ASAN_OPTIONS', 'UBSAN_OPTIONS'].filter((name) => name in process.env);
    const args = ['--seqpacket', ...kept.flatMap((name) => ['-E', name]), ...options];
    return systemd.startBy(t, 'systemd-socket-activate', args, file);
  }

  async function ask(t: TestContext, path: string, question: string): Promise<string> {
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 3));
    for (;;) {
      try {
        using socket = await connect(path);
        await socket.send(Buffer.from(question));
        return String((await socket.receiveMessage({ signal: t.signal })).data);
      } catch (error) {
        // Between bind and listen.
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
      }
    }
  }

  it('the service, activated', withSystemd, async (t) => {
    const path = systemd.here('/tmp/activated.socket');
    const service = activate(t, 'service.mjs', '--listen', path, '--fdname', 'greeter');
    assert.equal(await ask(t, path, 'Ada'), 'Hello Ada');
    assert.match(service.said, /^got greeter$/m);
  });

  it('the service, by hand', async (t) => {
    const service = await systemd.serve(t, 'service.mjs', '/tmp/greeter.socket');
    assert.equal(await ask(t, systemd.here('/tmp/greeter.socket'), 'Ada'), 'Hello Ada');
    assert.equal(service.said, 'started by hand\n');
  });

  it('one process for each client', withSystemd, async (t) => {
    const path = systemd.here('/tmp/each.socket');
    activate(t, 'one-client.mjs', '--listen', path, '--accept', '--fdname', 'connection');
    for (const name of ['one', 'two']) {
      assert.equal(await ask(t, path, name), `connection: ${name} of user ${uid}`);
    }
  });

  it('the units are understood', { skip: missing('systemd-analyze') }, () => {
    const units = ['greeter.socket', 'greeter.service'].map((file) => systemd.uses(file));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    const complaints = stderr.split('\n').filter((line) => line.includes('greeter'));
    assert.deepEqual(complaints, []);
    assert.equal(status, 0, stderr);
  });
});

test('restarting a server, as often as one likes', TIMEOUT, async (t) => {
  const restart = page('docs/guide/hot-restart.md');
  let current: Program | undefined;
  let port = '';
  for (const version of ['first', 'second', 'third']) {
    const server = restart.start(t, 'server.mjs', [version]);
    await server.until(() => server.printed !== '');
    assert.equal(server.printed, port || server.printed);
    port = server.printed;
    await current?.output;
    const answer = await fetch(`http://127.0.0.1:${Number(port)}/`, { headers: { connection: 'close' } });
    assert.equal(await answer.text(), version);
    current = server;
  }
  await current?.stop();
});

test('migrating from node:net: before and after do the same', TIMEOUT, async (t) => {
  const net = page('docs/coming-from/node-net.md');
  const servers = { net: '/tmp/values-net.socket', seqpacket: '/tmp/values.socket' };
  for (const [name, socket] of Object.entries(servers)) {
    await net.serve(t, `${name}-server.mjs`, socket);
    assert.equal(await net.run(t, `${name}-client.mjs`), 'green\n');
  }
});

test('migrating from node:net: the server closes the connections of clients that leave early', TIMEOUT, (t) =>
  closesWhatClientsLeave(
    t,
    page('docs/coming-from/node-net.md'),
    'seqpacket-server.mjs',
    '/tmp/values.socket',
    '["colour"]',
  ),
);

test('every program of these pages was run', { skip: withPython.skip || withGo.skip }, () => {
  const left = [...pages.values()].flatMap(({ document, notRun }) =>
    notRun.map((file) => `${document}: ${file}`),
  );
  assert.deepEqual(left, []);
});
