/** Descriptors that the command passes, and that are passed to it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { test } from 'node:test';
import { connect, listen } from 'seqpacket';
import { Cli, COMMAND, listening, run } from '../support/command.js';
import { closing } from '../support/peers.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };

test(
  '--fd passes files by name, and open descriptors by number, with the first message',
  TIMEOUT,
  async (t) => {
    const path = scratchPath();
    const acceptor = closing(t, listen(path));
    const inherited = openSync('/dev/null', 'r+');
    t.after(() => closeSync(inherited));
    const args = ['connect', path, '-m', 'first', '-m', 'second', '--fd', '/etc/passwd', '--fd', '3'];
    const cli = new Cli(t, args, { stdio: ['pipe', 'pipe', 'pipe', inherited] });
    const socket = closing(t, await acceptor.accept());
    const { data, fds } = await socket.receiveMessage({ maxFds: 10 });
    assert.equal(String(data), 'first');
    assert.equal(fds.length, 2);
    assert.equal(fstatSync(fds[0]!.fd).ino, fstatSync(openedOnce(t, '/etc/passwd')).ino);
    assert.equal(fstatSync(fds[1]!.fd).rdev, fstatSync(inherited).rdev);
    for (const fd of fds) fd.close();
    assert.equal((await socket.receiveMessage({ maxFds: 10 })).fds.length, 0);
    socket.close();
    assert.equal((await cli.ended).code, 0);
  },
);

function openedOnce(t: { after(callback: () => void): void }, path: string): number {
  const fd = openSync(path, 'r');
  t.after(() => closeSync(fd));
  return fd;
}

test('JSON names the descriptors of each message', TIMEOUT, async (t) => {
  const path = scratchPath();
  const acceptor = closing(t, listen(path));
  const cli = new Cli(t, ['connect', '--json', path]);
  cli.process.stdin.end('{"data":"none"}\n{"data":"one","fds":["/etc/passwd"]}\n');
  const socket = closing(t, await acceptor.accept());
  assert.equal((await socket.receiveMessage({ maxFds: 10 })).fds.length, 0);
  const { fds } = await socket.receiveMessage({ maxFds: 10 });
  assert.equal(fds.length, 1);
  await socket.sendWithFds(Buffer.from('back'), fds);
  fds[0]!.close();
  socket.close();
  const { stdout } = await cli.ended;
  assert.match(
    stdout,
    /"fds":\[\{"fd":\d+,"kind":"file","target":"\/etc\/passwd","access":"read-only","size":\d+,"mode":"644"\}\]/,
  );
});

test('a descriptor that cannot be passed is reported in one line', TIMEOUT, async (t) => {
  const path = scratchPath();
  for (const [fd, reason] of [
    ['/nonexistent', /--message 1 was not sent: cannot open \/nonexistent: ENOENT/],
    ['4294967296', /--message 1 was not sent: no such descriptor among 4294967296: open it in the shell/],
    ['999', /--message 1 was not sent: no such descriptor among 999: open it in the shell/],
  ] as const) {
    const acceptor = closing(t, listen(path));
    const cli = new Cli(t, ['connect', path, '-m', 'x', '--fd', fd]);
    closing(t, await acceptor.accept()).close();
    const { code, stderr } = await cli.ended;
    assert.match(stderr, reason);
    assert.equal(stderr.split('\n').length, 2);
    assert.equal(code, 1);
    acceptor.close();
  }
});

test('received descriptors are reported, saved and printed, and none stays open', TIMEOUT, async (t) => {
  const path = scratchPath();
  const directory = scratchDirectory();
  const kept = `${directory}/kept`;
  writeFileSync(`${directory}/file`, 'what the file holds');
  const cli = await listening(t, [path, '--save-fds', kept, '--print-fds']);
  const { pid } = cli.process;
  const before = readdirSync(`/proc/${pid}/fd`).length;

  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [[accepted], client] = await Promise.all([
    once(server, 'connection'),
    Promise.resolve(connectTcp(port, '127.0.0.1')),
  ]);
  t.after(() => client.destroy());
  t.after(() => accepted.destroy());
  const reading = openSync(`${directory}/file`, 'r');
  const writing = openSync(`${directory}/file`, 'a');
  const nothing = openSync('/dev/null', 'r+');
  const fds = [reading, writing, nothing, client, server];

  const socket = closing(t, await connect(path));
  await socket.sendWithFds(Buffer.from('take these'), fds);
  for (const fd of [reading, writing, nothing]) closeSync(fd);
  await cli.prints('what the file holds');
  await cli.tells(`descriptor 4: socket TCP 127.0.0.1:${port} (listening)`);
  assert.ok(cli.stderr.includes(`received descriptor 0: file ${directory}/file (read-only, 19 bytes)`));
  assert.ok(cli.stderr.includes(`received descriptor 1: file ${directory}/file (write-only, 19 bytes)`));
  assert.ok(cli.stderr.includes('received descriptor 2: character device /dev/null (read-write)'));
  assert.ok(
    cli.stderr.includes(
      `received descriptor 3: socket TCP 127.0.0.1:${client.localPort} - 127.0.0.1:${port}`,
    ),
  );
  // The connection is one more.
  while (readdirSync(`/proc/${pid}/fd`).length > before)
    await new Promise((resolve) => setTimeout(resolve, 10));
  socket.close();
  const { stdout } = await cli.done();
  assert.equal(stdout, 'take these\nwhat the file holds');
  assert.deepEqual(readdirSync(kept), ['1-0']);
  assert.equal(readFileSync(`${kept}/1-0`, 'utf8'), 'what the file holds');
});

test('a pipe is saved until its end', TIMEOUT, async (t) => {
  const path = scratchPath();
  const kept = scratchDirectory();
  const cli = await listening(t, [path, '--save-fds', kept]);
  const script = `exec 4< <(echo first; sleep 0.3; echo last); exec "$0" "$1" connect ${path} -m pipe --fd 4`;
  spawn('bash', ['-c', script, process.execPath, COMMAND], { stdio: 'ignore' });
  await cli.done();
  assert.equal(readFileSync(`${kept}/1-0`, 'utf8'), 'first\nlast\n');
});

test('a pipe that stays silent is waited for as long as --timeout has it', TIMEOUT, async (t) => {
  for (const options of [['--print-fds'], ['--save-fds', scratchDirectory()]]) {
    const path = scratchPath();
    const fifo = scratchPath('fifo');
    execFileSync('mkfifo', [fifo]);
    const cli = await listening(t, [path, ...options, '--timeout', '0.3']);
    // Who opens it so could write into it, and so could those who receive it.
    const pipe = openSync(fifo, 'r+');
    const socket = closing(t, await connect(path));
    await socket.sendWithFds(Buffer.from('pipe'), [pipe]);
    closeSync(pipe);
    socket.close();
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /^seqpacket: timeout: /m);
    assert.equal(code, 124);
  }
});

test('listen hands its descriptors to each client', TIMEOUT, async (t) => {
  const path = scratchPath();
  const cli = await listening(t, [path, '--keep', '-m', 'here', '--fd', '/etc/passwd']);
  for (let client = 0; client < 2; client++) {
    const { code, stdout } = await run(t, ['connect', path, '--print-fds']);
    assert.equal(code, 0);
    assert.equal(stdout, `here\n${readFileSync('/etc/passwd', 'utf8')}`);
  }
  await cli.interrupted();
});
