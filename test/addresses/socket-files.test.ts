/** Promise: `listen` makes socket files with their mode, reclaims dead ones, and removes its own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { listen, SeqpacketSocket } from 'seqpacket';
import { Peer, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';
import { connectedAt, fillBacklog, listeningAt, receiveText } from '../support/sockets.js';

test('listen opens, binds and listens', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  assert.equal(acceptor.localPath, path);
  const [client, server] = await connectedAt(acceptor, path);
  await client.send(Buffer.from('hello'));
  assert.equal(await receiveText(server), 'hello');
  client.close();
  server.close();
});

test("accepted sockets deliver empty messages if listen was called with emptyMessages: 'deliver'", async () => {
  const path = scratchPath();
  using acceptor = listen(path, { emptyMessages: 'deliver' });
  using client = new SeqpacketSocket();
  await client.connect(path);
  await client.send(Buffer.alloc(0));
  client.close();
  using server = await acceptor.accept();
  assert.equal(server.getOption('emptyMessages'), 'deliver');
  assert.equal(await server.receive(Buffer.alloc(1)), 0);
  await assert.rejects(server.receive(Buffer.alloc(1)), { code: 'EOF' });
});

test('the backlog is as given', async () => {
  const path = scratchPath();
  using _acceptor = listen(path, { backlog: 2 });
  const queued = await fillBacklog(path);
  // Linux admits one more than the backlog; the last one in the list is the one that had to wait.
  assert.equal(queued.length, 2 + 1 + 1);
  for (const each of queued) each.close();
});

test('an abstract name needs no file', async () => {
  const name = `\0seqpacket-listen-${process.pid}`;
  {
    using acceptor = listen(name);
    assert.equal(acceptor.localPath, name);
    assert.throws(() => listen(name), { code: 'EADDRINUSE', address: name });
  }
  listen(name).close();
});

test('options are checked before anything happens', () => {
  const path = scratchPath();
  for (const [options, code] of [
    [{ backlog: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ backlog: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ mode: '0600' }, 'ERR_INVALID_ARG_TYPE'],
    [{ mode: 0o10000 }, 'ERR_OUT_OF_RANGE'],
    [{ emptyMessages: 'maybe' }, 'ERR_INVALID_ARG_VALUE'],
    [{ reclaim: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['backlog', 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    assert.throws(() => listen(path, options as never), { code });
  }
  assert.throws(() => listen('\0name', { mode: 0o600 }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.equal(existsSync(path), false);
});

for (const mode of [0o600, 0o660, 0o666, 0o777, 0o700, 0o000]) {
  test(`a file of mode ${mode.toString(8)}`, async () => {
    const path = scratchPath();
    using acceptor = listen(path, { mode });
    assert.equal(statSync(path).mode & 0o7777, mode);
    assert.equal(acceptor.localPath, path);
    assert.deepEqual(readdirSync(dirname(path)), ['socket']);
    if (process.getuid?.() === 0 || (mode & 0o200) !== 0) {
      const [client, server] = await connectedAt(acceptor, path);
      assert.equal(server.localPath, path);
      client.close();
      server.close();
    }
  });
}

test('without a mode the umask decides', () => {
  const path = scratchPath();
  const before = process.umask(0o027);
  using _acceptor = listen(path);
  process.umask(before);
  assert.equal(statSync(path).mode & 0o777, 0o750);
});

test('the file has its mode, and listens, before it has its name', { skip: missing('strace') }, () => {
  // The umask leaves the first one as it is; the file is made under its name then, which is not closed to anybody.
  for (const [mode, isNamedBy] of [
    [0o600, 'bind'],
    [0o666, 'link'],
  ] as const) {
    const path = scratchPath();
    const script = `import { listen } from 'seqpacket'; process.umask(0o022); listen(process.argv[1], { mode: ${mode} }); process.exit();`;
    const filter = 'trace=bind,listen,chmod,fchmod,fchmodat,link,linkat,rename,renameat,renameat2,umask';
    const { stderr } = spawnSync(
      'strace',
      ['-qq', '-f', '-e', filter, process.execPath, '--input-type=module', '-e', script, path],
      { encoding: 'utf8' },
    );
    const calls = stderr.split('\n');
    const named = calls.findIndex((line) => line.includes(isNamedBy) && line.includes(`"${path}"`));
    assert.notEqual(named, -1, stderr);
    const isCall = (name: string) => (line: string) => new RegExp(`\\b${name}\\w*\\(`).test(line);
    // No mode is changed any more, not even for a moment by an umask.
    assert.deepEqual(calls.slice(named).filter(isCall('(f?chmod|umask)')), []);
    const listens = calls.findIndex(isCall('listen'));
    assert.equal(listens > named, isNamedBy === 'bind', stderr);
    assert.equal(statSync(path).mode & 0o777, mode);
  }
});

/** Whether the kernel shows a socket by that name. */
function isKnownAs(path: string): boolean {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some((line) => line.endsWith(` ${path}`));
}

test('the name is visible to other programs, unless the umask reduces the mode', () => {
  const before = process.umask(0o022);
  try {
    for (const mode of [undefined, 0o600, 0o644]) {
      for (const dead of [false, true]) {
        const path = scratchPath();
        if (dead) listeningAt(path).close();
        using _acceptor = listen(path, { mode });
        assert.ok(isKnownAs(path), `mode ${mode?.toString(8)}`);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('the mode is exact where the directory has a default ACL', { skip: missing('setfacl') }, async () => {
  const before = process.umask();
  try {
    for (const acl of [
      'u::rwx,g::r-x,o::---',
      'u::r-x,g::r-x,o::r-x',
      'u::rwx,u:65534:rwx,g::r-x,m::r-x,o::---',
    ]) {
      for (const [mode, umask] of [
        [0o660, 0],
        [0o600, 0o022],
        [0o666, 0o022],
      ] as const) {
        const path = scratchPath();
        assert.equal(spawnSync('setfacl', ['-d', '-m', acl, dirname(path)]).status, 0);
        process.umask(umask);
        using acceptor = listen(path, { mode });
        assert.equal((statSync(path).mode & 0o7777).toString(8), mode.toString(8), `${acl}, umask ${umask}`);
        assert.deepEqual(readdirSync(dirname(path)), ['socket']);
        const [client, server] = await connectedAt(acceptor, path);
        client.close();
        server.close();
      }
    }
  } finally {
    process.umask(before);
  }
});

test('the mode is exact under an umask that takes everything', () => {
  const directory = scratchDirectory();
  chmodSync(directory, 0o777);
  const script = `
    import { readdirSync, statSync } from 'node:fs';
    import { connect, listen } from 'seqpacket';
    if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534); }
    process.chdir(process.argv[1]);
    process.umask(0o777);
    for (const mode of [0o600, 0o660, 0o666]) {
      const acceptor = listen('socket', { mode });
      console.log((statSync('socket').mode & 0o7777) === mode, readdirSync('.').join());
      (await connect('socket')).close();
      acceptor.close();
      console.log(readdirSync('.').join());
    }
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, directory], {
    encoding: 'utf8',
  });
  assert.equal(stdout, 'true socket\n\n'.repeat(3), stderr);
});

test('a long path can have a mode, and is reclaimed and removed like any other', () => {
  const directory = `${scratchDirectory()}/${'d'.repeat(150)}`;
  mkdirSync(directory);
  for (const path of [`${directory}/socket`, `${directory}/${'n'.repeat(200)}`]) {
    listeningAt(path).close();
    const acceptor = listen(path, { mode: 0o666 });
    assert.equal(acceptor.localPath, path);
    assert.equal(statSync(path).mode & 0o777, 0o666);
    acceptor.close();
    assert.deepEqual(readdirSync(directory), []);
  }
});

test('the file of a dead server is reclaimed', { skip: missing('python3') }, async () => {
  const path = scratchPath();
  const child = spawnSync('python3', [
    '-c',
    'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen()',
    path,
  ]);
  assert.equal(child.status, 0);
  assert.ok(statSync(path).isSocket());
  using acceptor = listen(path);
  const [client, server] = await connectedAt(acceptor, path);
  client.close();
  server.close();
});

test('the file of a server that was killed is reclaimed', async () => {
  const path = scratchPath();
  const script = `import { listen } from 'seqpacket'; globalThis.keep = listen(process.argv[1]); console.log('ready'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.throws(() => listen(path), { code: 'EADDRINUSE' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  listen(path).close();
  assert.equal(existsSync(path), false);
});

test('reclaim: false leaves a dead server’s file alone', () => {
  const path = scratchPath();
  listeningAt(path).close();
  const { ino } = statSync(path);
  assert.throws(() => listen(path, { reclaim: false }), {
    code: 'EADDRINUSE',
    syscall: 'bind',
    address: path,
  });
  assert.equal(statSync(path).ino, ino);
});

test('a live server’s file is never taken, not even if its backlog is full', async () => {
  const path = scratchPath();
  using acceptor = listen(path, { backlog: 0 });
  const { ino } = statSync(path);
  const queued = await fillBacklog(path);
  for (const options of [{}, { mode: 0o666 }, { mode: 0o600 }]) {
    assert.throws(() => listen(path, options), { code: 'EADDRINUSE', syscall: 'bind', address: path });
  }
  assert.equal(statSync(path).ino, ino);
  (await acceptor.accept()).close();
  for (const each of queued) each.close();
});

test('attempts to reclaim its name have no effect on a live server', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  assert.throws(() => listen(path), { code: 'EADDRINUSE' });
  // No connection has come and gone.
  await assert.rejects(acceptor.accept({ signal: AbortSignal.timeout(50) }), { code: 'ABORT_ERR' });
});

test('a live server of another type is never taken', async () => {
  const path = scratchPath();
  const server = createServer().listen(path);
  await once(server, 'listening');
  assert.throws(() => listen(path), { code: 'EADDRINUSE' });
  assert.ok(existsSync(path));
  server.close();
});

for (const [what, type, then] of [
  ['a socket that does not listen yet', 'SOCK_SEQPACKET', ''],
  ['a listener that was shut down, but not closed', 'SOCK_SEQPACKET', 's.listen(); s.shutdown(2)'],
  ['a stream socket that does not listen yet', 'SOCK_STREAM', ''],
  ['a datagram socket', 'SOCK_DGRAM', ''],
  ['a datagram socket that hears only one peer', 'SOCK_DGRAM', 'peer(s)'],
] as const) {
  test(`the file of ${what} is not dead`, { skip: missing('python3') }, async (t) => {
    const path = scratchPath();
    const script = `
      def peer(s):
          other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
          other.bind(args[0] + '.peer')
          s.connect(args[0] + '.peer')
          keep.append(other)
      keep = []
      s = socket.socket(socket.AF_UNIX, socket.${type})
      s.bind(args[0])
      ${then}
      say('ready')
      hear()
    `;
    const python = new Python(t, script, path);
    assert.equal(await python.says(), 'ready');
    const { ino } = statSync(path);
    for (const options of [{}, { mode: 0o666 }]) {
      assert.throws(() => listen(path, options), { code: 'EADDRINUSE', syscall: 'bind', address: path });
    }
    assert.equal(statSync(path).ino, ino);
    python.tell('end');
    await python.finished();
    listen(path).close();
    assert.equal(existsSync(path), false);
  });
}

test('a named client keeps its file', async () => {
  const name = scratchPath('client');
  using client = new SeqpacketSocket();
  client.open();
  client.bind(name);
  assert.throws(() => listen(name), { code: 'EADDRINUSE', address: name });
  const path = scratchPath();
  using acceptor = listeningAt(path);
  const [server] = await Promise.all([acceptor.accept(), client.connect(path)]);
  assert.throws(() => listen(name), { code: 'EADDRINUSE', address: name });
  assert.equal(server.remotePath, name);
  assert.ok(statSync(name).isSocket());
  server.close();
});

test('without descriptors to find out whether a file is dead it is EMFILE', () => {
  const path = scratchPath();
  listeningAt(path).close();
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { listen } from 'seqpacket';
    listen(process.argv[1] + '.first').close();
    const open = [];
    try { for (;;) open.push(openSync('/dev/null')); } catch {}
    for (let free = 1; free <= 6; free++) {
      closeSync(open.pop());
      try { listen(process.argv[1]).close(); console.log('listens'); break; }
      catch (error) { console.log(error.code, error.syscall, error.address); }
    }
  `;
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script, path],
    { encoding: 'utf8' },
  );
  const outcomes = stdout.trim().split('\n');
  assert.equal(outcomes.pop(), 'listens', stderr);
  assert.ok(outcomes.length > 0);
  for (const outcome of outcomes) assert.equal(outcome, `EMFILE bind ${path}`);
});

/** A shell for which there is no /proc, and nobody else loses it. */
const WITHOUT_PROC = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'] as const;

const noWayWithoutProc =
  process.env['SEQPACKET_SANITIZED'] !== undefined
    ? 'AddressSanitizer needs /proc'
    : spawnSync(WITHOUT_PROC[0], [...WITHOUT_PROC.slice(1), 'true']).status !== 0 &&
      'needs unshare and its rights';

test('the file of a dead server is reclaimed without /proc, a live one’s is not', {
  skip: noWayWithoutProc,
}, () => {
  const path = scratchPath();
  listeningAt(path).close();
  const script = `
    import { existsSync, readdirSync } from 'node:fs';
    import { listen, SeqpacketSocket } from 'seqpacket';
    const path = process.argv[1];
    const acceptor = listen(path);
    try { listen(path); } catch (error) { console.log(error.code); }
    acceptor.close();
    const socket = new SeqpacketSocket();
    socket.open();
    socket.bind(path);
    try { listen(path); } catch (error) { console.log(error.code); }
    console.log(existsSync('/proc/self'), existsSync(path));
  `;
  const [program, ...args] = [...WITHOUT_PROC, process.execPath, '--input-type=module', '-e', script, path];
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(stdout, 'EADDRINUSE\nEADDRINUSE\nfalse true\n', stderr);
  assert.deepEqual(readdirSync(dirname(path)), ['socket']);
});

test('a dead file that may not be removed is EADDRINUSE', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  listeningAt(path).close();
  chmodSync(path, 0o666);
  const script = `
    import { listen } from 'seqpacket';
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    for (const mode of [undefined, 0o600, 0o666]) {
      try { listen(process.argv[1], { mode }); } catch (error) { console.log(error.code, error.syscall, error.address); }
    }
  `;
  for (const bits of [0o755, 0o1777]) {
    chmodSync(directory, bits);
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], {
      encoding: 'utf8',
    });
    assert.equal(stdout, `EADDRINUSE bind ${path}\n`.repeat(3), stderr);
    assert.deepEqual(readdirSync(directory), ['socket']);
  }
});

const others: [string, (path: string) => void][] = [
  ['a file', (path) => writeFileSync(path, 'precious')],
  ['an empty file', (path) => writeFileSync(path, '')],
  ['a directory', (path) => mkdirSync(path)],
  ['a fifo', (path) => assert.equal(spawnSync('mkfifo', [path]).status, 0)],
  ['a dangling link', (path) => symlinkSync('/nowhere/at/all', path)],
  [
    'a link to a dead socket',
    (path) => {
      listeningAt(`${path}.dead`).close();
      symlinkSync(`${path}.dead`, path);
    },
  ],
];
for (const [what, make] of others) {
  test(`${what} is never taken`, () => {
    const path = scratchPath();
    make(path);
    const { ino } = lstatSync(path);
    for (const options of [{}, { mode: 0o600 }, { mode: 0o666 }]) {
      assert.throws(() => listen(path, options), { code: 'EADDRINUSE', syscall: 'bind', address: path });
    }
    assert.equal(lstatSync(path).ino, ino);
    assert.equal(readdirSync(dirname(path)).filter((name) => name.startsWith('.')).length, 0);
  });
}

test('close removes the file', () => {
  const path = scratchPath();
  const acceptor = listen(path);
  acceptor.close();
  assert.equal(existsSync(path), false);
  acceptor.close();
});

test('close removes the file wherever the working directory is by then', () => {
  const path = scratchPath();
  const before = process.cwd();
  process.chdir(dirname(path));
  const acceptor = listen('socket');
  process.chdir(before);
  assert.equal(existsSync(path), true);
  acceptor.close();
  assert.equal(existsSync(path), false);
});

test('the working directory need not be within reach', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const directory = scratchDirectory();
  const program = `
    import { chmodSync, mkdirSync } from 'node:fs';
    import { connect, listen } from 'seqpacket';
    process.umask(0);
    mkdirSync(process.argv[1] + '/public');
    process.chdir(process.argv[1] + '/public');
    chmodSync('.', 0o777);
    chmodSync(process.argv[1], 0o700);
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const acceptor = listen('socket', { backlog: 0 });
    const first = await connect('socket');
    const second = connect('socket');
    await acceptor.accept();
    await second;
    acceptor.close();
    console.log('done');
    process.exit();
  `;
  const args = ['--input-type=module', '-e', program, directory];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stdout, 'done\n', stderr);
});

test('the working directory may have a name that is not UTF-8', () => {
  const directory = Buffer.concat([Buffer.from(`${scratchDirectory()}/`), Buffer.of(0xe9)]);
  mkdirSync(directory);
  const fd = openSync(directory, 'r');
  const before = process.cwd();
  process.chdir(`/proc/self/fd/${fd}`);
  try {
    using acceptor = listen('socket');
    assert.equal(acceptor.localPath, 'socket');
    assert.deepEqual(readdirSync('.'), ['socket']);
    acceptor.close();
    assert.deepEqual(readdirSync('.'), []);
  } finally {
    process.chdir(before);
    closeSync(fd);
  }
});

test('close leaves a file that is no longer its own', () => {
  for (const replace of [
    (path: string) => writeFileSync(path, 'a file'),
    (path: string) => renameSync(`${path}.next`, path),
  ]) {
    const path = scratchPath();
    const acceptor = listen(path);
    const successor = listen(`${path}.next`);
    unlinkSync(path);
    replace(path);
    acceptor.close();
    assert.equal(existsSync(path), true);
    successor.close();
    assert.equal(existsSync(path), true);
  }
});

test('release leaves the file in place', () => {
  const path = scratchPath();
  const acceptor = listen(path);
  acceptor.release().close();
  assert.equal(existsSync(path), true);
  acceptor.open();
  acceptor.close();
  assert.equal(existsSync(path), true);
});

test('a lock on the directory does not block listen', { skip: missing('flock') }, async (t) => {
  const path = scratchPath();
  const holder = new Peer(t, 'flock', [dirname(path), 'sh', '-c', 'echo held >&2; exec cat']);
  await holder.reports('held');
  listeningAt(path).close();
  listen(path).close();
  assert.equal(existsSync(path), false);
  holder.process.stdin.end();
  await holder.finished();
});

test('errors name bind and the path', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const directory = scratchDirectory();
  chmodSync(directory, 0o755);
  const script = `
    import { listen } from 'seqpacket';
    process.setgid(65534); process.setuid(65534);
    for (const mode of [undefined, 0o600, 0o666]) {
      try { listen(process.argv[1], { mode }); } catch (error) { console.log(error.code, error.syscall, error.address); }
    }
  `;
  const path = `${directory}/socket`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], {
    encoding: 'utf8',
  });
  assert.equal(stdout, `EACCES bind ${path}\n`.repeat(3), stderr);
  assert.ok(readFileSync('/proc/self/status', 'utf8').includes('Umask'));
});
