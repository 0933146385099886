/** Sockets that a service manager passes: sd_listen_fds(3), by systemd's own tool. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { connect, pair, type SeqpacketSocket } from 'seqpacket';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { receiveText } from '../support/sockets.js';

const withSystemd = { skip: missing('systemd-socket-activate') };

/** A service: says what it got, then answers in upper case. */
const service = `
  import { activated } from 'seqpacket';
  import { readFileSync } from 'node:fs';
  const sockets = activated();
  const report = sockets.map(({ name, acceptor, socket }) => ({
    name,
    listens: acceptor !== undefined,
    connected: socket !== undefined,
    closeOnExec: /^flags:\\s*02/m.test(readFileSync('/proc/self/fdinfo/' + (acceptor ?? socket).fd, 'utf8')),
  }));
  const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
  console.error(JSON.stringify({ report, left, again: activated().length }));
  const answer = async (socket) => {
    for await (const data of socket) await socket.send(Buffer.from(String(data).toUpperCase()));
    socket.close();
  };
  for (const { acceptor, socket } of sockets) {
    if (socket) await answer(socket);
    if (acceptor) for await (const accepted of acceptor) { await answer(accepted); break; }
    acceptor?.close();
  }
`;

/** Starts systemd's tool with the service, and gives what the service says of itself. */
function activate(...options: string[]): { child: ChildProcess; said: Promise<Record<string, unknown>> } {
  const node = [process.execPath, '--input-type=module', '-e', service];
  // The tool hands down hardly any environment; sanitizers need theirs.
  const kept = ['LD_PRELOAD', 'ASAN_OPTIONS', 'UBSAN_OPTIONS'].filter((name) => name in process.env);
  const args = ['--seqpacket', ...kept.flatMap((name) => ['-E', name]), ...options, ...node];
  const child = spawn('systemd-socket-activate', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  after(() => child.kill('SIGKILL'));
  let output = '';
  const said = new Promise<Record<string, unknown>>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      const line = /^\{.*\}$/m.exec(output);
      if (line !== null) resolve(JSON.parse(line[0]));
    });
    child.once('exit', () => reject(new Error(output)));
  });
  return { child, said };
}

/** Connects as soon as the tool listens. */
async function connectSoon(path: string): Promise<SeqpacketSocket> {
  for (;;) {
    try {
      return await connect(path);
    } catch (error) {
      assert.match((error as NodeJS.ErrnoException).code ?? '', /ENOENT|ECONNREFUSED/);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

for (const [what, options, name, listens] of [
  ['a listening socket', [], 'unknown', true],
  ['a listening socket with a name', ['--fdname=control'], 'control', true],
  ['a connection (Accept=yes)', ['--accept'], 'connection', false],
  ['a connection with a name', ['--accept', '--fdname=client'], 'client', false],
] as const) {
  test(`${what} from systemd-socket-activate`, withSystemd, async () => {
    const path = scratchPath();
    const { child, said } = activate('-l', path, ...options);
    const exit = once(child, 'exit');
    using socket = await connectSoon(path);
    await socket.send(Buffer.from('hello'));
    assert.equal(await receiveText(socket), 'HELLO');
    const { report, left, again } = await said;
    const [entry] = report as Record<string, unknown>[];
    // Without --fdname the tool names a connection itself, or leaves it to the default.
    assert.deepEqual(
      { ...entry, name: listens ? entry?.['name'] : name },
      {
        name,
        listens,
        connected: !listens,
        closeOnExec: true,
      },
    );
    assert.match(String(entry?.['name']), new RegExp(`^(${name}|unknown)$`));
    assert.deepEqual([left, again], [[], 0]);
    socket.close();
    if (!listens) child.kill();
    await exit;
  });
}

test('several sockets, and an abstract name', withSystemd, async () => {
  const path = scratchPath();
  const name = `seqpacket-activation-${process.pid}`;
  const { child, said } = activate('-l', path, '-l', `@${name}`, '--fdname=file:abstract');
  const exit = once(child, 'exit');
  using first = await connectSoon(path);
  await first.send(Buffer.from('one'));
  assert.equal(await receiveText(first), 'ONE');
  first.close();
  using second = await connectSoon(`\0${name}`);
  await second.send(Buffer.from('two'));
  assert.equal(await receiveText(second), 'TWO');
  second.close();
  const { report } = await said;
  assert.deepEqual(
    (report as { name: string; listens: boolean }[]).map(({ name, listens }) => [name, listens]),
    [
      ['file', true],
      ['abstract', true],
    ],
  );
  await exit;
});

/** Runs `activated()` in a process with an environment and a socket as descriptor 3; `$$` is its pid. */
function activatedWith(environment: string): string {
  const [a, b] = pair();
  const script = `
    import { activated } from 'seqpacket';
    try {
      const sockets = activated();
      console.log(JSON.stringify(sockets.map(({ name, acceptor, socket }) => [name, !!acceptor, !!socket])), 'LISTEN_FDS' in process.env);
    } catch (error) { console.log(error.code, error.message); }
    process.exit();
  `;
  const command = `${environment} exec "$0" --input-type=module -e "$1"`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'pipe', a.fd, 'ignore'],
    encoding: 'utf8',
  });
  a.close();
  b.close();
  return stdout.trim() || stderr;
}

/** Which thread gets what was passed, if workers with a copy of the environment or with the same one ask, too. */
test('only the main thread receives them, even if a worker calls first', () => {
  const [a, b] = pair();
  const script = `
    import { once } from 'node:events';
    import { fstatSync } from 'node:fs';
    import { SHARE_ENV, Worker } from 'node:worker_threads';
    import { activated } from 'seqpacket';
    const ask = 'import { activated } from "seqpacket"; import { parentPort } from "node:worker_threads";' +
      'let said; try { said = activated().length; } catch (error) { said = error.code; }' +
      'parentPort.postMessage(said);';
    const asked = async (env) => {
      const worker = new Worker(ask, { eval: true, env });
      const [[said]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return said;
    };
    const said = [await asked(process.env), await asked(SHARE_ENV)];
    const env = { ...process.env };
    const [{ socket }] = activated();
    said.push(await asked(env), await asked(process.env), await asked(SHARE_ENV));
    await socket.send(said.join(' ') + ' ' + fstatSync(3).isSocket());
  `;
  const command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --input-type=module -e "$1"';
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'pipe', b.fd],
    encoding: 'utf8',
  });
  b.close();
  const buffer = Buffer.alloc(200);
  if (status !== 0) assert.fail(stderr);
  const length = a.tryReceive(buffer);
  a.close();
  const refused = 'ERR_WORKER_UNSUPPORTED_OPERATION';
  assert.equal(buffer.toString('utf8', 0, length ?? 0), `${refused} ${refused} ${refused} 0 0 true`);
});

test('the rules of sd_listen_fds(3)', () => {
  const mine = 'LISTEN_PID=$$';
  for (const [environment, expected] of [
    ['', '[] false'],
    [`${mine} LISTEN_FDS=1`, '[["unknown",false,true]] false'],
    [`${mine} LISTEN_FDS=1 LISTEN_FDNAMES=name`, '[["name",false,true]] false'],
    [`${mine} LISTEN_FDS=2 LISTEN_FDNAMES=socket:null`, '[["socket",false,true],["null",false,false]] false'],
    [`${mine} LISTEN_FDS=1 LISTEN_FDNAMES=`, '[["unknown",false,true]] false'],
    [`${mine} LISTEN_FDS=0`, '[] false'],
    [`${mine}`, '[] false'],
    ['LISTEN_PID=1 LISTEN_FDS=1', '[] false'],
    ['LISTEN_FDS=1', '[] false'],
    [`${mine} LISTEN_FDS=one`, 'ERR_INVALID_STATE LISTEN_FDS is not a number: "one"'],
    [`${mine} LISTEN_FDS=-1`, 'ERR_INVALID_STATE LISTEN_FDS is not a number: "-1"'],
    ['LISTEN_PID=me LISTEN_FDS=1', 'ERR_INVALID_STATE LISTEN_PID is not a number: "me"'],
  ] as const) {
    assert.equal(activatedWith(environment), expected, environment);
  }
  for (const count of [900, 999_999_999])
    assert.match(activatedWith(`${mine} LISTEN_FDS=${count}`), /^EBADF fcntl EBADF/);
  assert.ok(existsSync('/proc/self/fd'));
});
