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
import { missing } from './support/programs.js';
import { scratchDirectory, scratchPath } from './support/scratch.js';
import { connectedAt, fillBacklog, listeningAt, receiveText } from './support/sockets.js';

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

test('the sockets it accepts deliver empty messages if it was told so', async () => {
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

test('the file never has another mode than the one asked for', { skip: missing('strace') }, () => {
  for (const mode of [0o600, 0o666]) {
    const path = scratchPath();
    const script = `import { listen } from 'seqpacket'; listen(process.argv[1], { mode: ${mode} }); process.exit();`;
    const filter = 'trace=bind,chmod,fchmod,fchmodat,link,linkat,rename,renameat2,umask';
    const { stderr } = spawnSync(
      'strace',
      ['-qq', '-f', '-e', filter, process.execPath, '--input-type=module', '-e', script, path],
      { encoding: 'utf8' },
    );
    // After the call that gives the file its name, no mode is changed any more.
    const calls = stderr.split('\n').filter((line) => /\b(bind|chmod|fchmod|link|umask)\w*\(/.test(line));
    const named = calls.findIndex(
      (line) => (line.includes('bind(') || line.includes('link')) && line.includes('/socket'),
    );
    assert.notEqual(named, -1, stderr);
    assert.equal(calls.findIndex((line) => /\b(f?chmod\w*|umask)\(/.test(line)) < named, true, stderr);
    assert.deepEqual(
      calls.slice(named + 1).filter((line) => /chmod|umask/.test(line)),
      [],
    );
    assert.equal(statSync(path).mode & 0o777, mode);
  }
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

test('a live server of another type is never taken', async () => {
  const path = scratchPath();
  const server = createServer().listen(path);
  await once(server, 'listening');
  assert.throws(() => listen(path), { code: 'EADDRINUSE' });
  assert.ok(existsSync(path));
  server.close();
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

test('release leaves the file to whoever goes on', () => {
  const path = scratchPath();
  const acceptor = listen(path);
  acceptor.release().close();
  assert.equal(existsSync(path), true);
  acceptor.open();
  acceptor.close();
  assert.equal(existsSync(path), true);
});

test('of two servers that start at once one wins, and the other gets EADDRINUSE', async () => {
  const directory = scratchDirectory();
  const script = `
    import { listen } from 'seqpacket';
    import { once } from 'node:events';
    process.stdin.resume();
    for (let round = 0; round < 30; round++) {
      console.log('ready');
      const [line] = await once(process.stdin, 'data');
      const path = String(line).trim();
      try { globalThis.keep = listen(path, { mode: round % 2 ? 0o666 : undefined }); console.log('won'); }
      catch (error) { console.log(error.code); }
      await once(process.stdin, 'data');
      globalThis.keep?.release().close();
      globalThis.keep = undefined;
    }
    process.exit();
  `;
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const next = children.map((child) => {
    const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    let rest = '';
    return async () => {
      while (!rest.includes('\n')) rest += (await lines.next()).value;
      const [line] = rest.split('\n', 1);
      rest = rest.slice(line!.length + 1);
      return line;
    };
  });
  for (let round = 0; round < 30; round++) {
    const path = `${directory}/${round}`;
    // A dead server's file is in the way, which each of them is entitled to reclaim.
    listeningAt(path).close();
    await Promise.all(next.map((line) => line()));
    for (const child of children) child.stdin.write(`${path}\n`);
    const outcomes = await Promise.all(next.map((line) => line()));
    assert.deepEqual(outcomes.sort(), ['EADDRINUSE', 'EADDRINUSE', 'won']);
    using client = new SeqpacketSocket();
    await client.connect(path);
    for (const child of children) child.stdin.write('go on\n');
  }
});

test('a directory that cannot be locked costs the reclaiming, nothing else', {
  skip: missing('flock'),
}, async () => {
  const path = scratchPath();
  const holder = spawn('flock', [dirname(path), '-c', 'echo held; sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(holder.stdout, 'data');
  listen(path).close();
  listeningAt(path).close();
  assert.throws(() => listen(path), { code: 'EADDRINUSE' });
  holder.kill();
  await once(holder, 'exit');
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
