/** The command line: help, wrong usage, and errors in one line. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BridgeProcess } from './support/bridges.js';
import { echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { pause, Running, scratchDirectory, supportFile } from './support/programs.js';

const run = (t: TestContext, args: string[]) => new BridgeProcess(t, args).ended;

test('the help lists the commands, and each command has its own', async (t) => {
  const { code, stdout } = await run(t, ['--help']);
  assert.equal(code, 0);
  for (const text of ['serve ', 'join ', 'SIGUSR2', 'Exit codes']) assert.ok(stdout.includes(text), text);
  for (const command of ['serve', 'join']) {
    const { code, stdout } = await run(t, [command, '--help']);
    assert.equal(code, 0);
    for (const option of ['--server', '--creds', '--tls-ca', '--heartbeat', '--json']) {
      assert.ok(stdout.includes(option), option);
    }
  }
  assert.match((await run(t, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

const WRONG: [string[], RegExp][] = [
  [[], /Usage: seqpacket-bridge/],
  [['serf', 'a', 'b'], /unknown command 'serf'/],
  [['serve', 'a'], /missing required argument 'address'/],
  [['serve', 'a', '@'], /an address is a path, or @name/],
  [['serve', 'a b', '/x'], /subject "a b": words separated by dots/],
  [['serve', 'a.*', '/x'], /subject "a\.\*": words/],
  [['serve', 'a', '/x', '--queue', '>'], /queue ">": words/],
  [['serve', 'a', '/x', '--server', 'http://h'], /nats:\/\/ and tls:\/\/ are supported/],
  [['serve', 'a', '/x', '--server', 'nats://u:p@h'], /use --user and --password-file/],
  [['serve', 'a', '/x', '--creds', 'f', '--nkey', 'g'], /--creds and --nkey exclude each other/],
  [['serve', 'a', '/x', '--user', 'u'], /--user and --password-file need each other/],
  [['serve', 'a', '/x', '--tls-cert', 'f'], /--tls-cert and --tls-key need each other/],
  [['serve', 'a', '/x', '--heartbeat', '0'], /0\.1 or greater/],
  [['serve', 'a', '/x', '--heartbeat', '5', '--dead', '6'], /deadAfter is less than two heartbeats/],
  [['join', 'a', '/x', '--mode', '999'], /Octal permissions/],
  [['join', 'a', '/x', '--max-sessions', '0'], /1 or greater/],
  [['join', 'a', '/x', '--queue', 'q'], /unknown option '--queue'/],
];

for (const [args, reason] of WRONG) {
  test(`wrong usage: ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(t, args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, reason);
  });
}

test('errors are one line, and the exit code is 1', withNats, async (t) => {
  const fails = async (args: string[], reason: RegExp) => {
    const { code, stdout, stderr } = await run(t, args);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, reason);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  };
  await fails(['join', 'a', '/x', '-s', 'nats://127.0.0.1:1'], /no connection to NATS at .*refused/);
  const { url } = await startNats(t);
  await fails(['join', 'a', '/nonexistent/x', '-s', url], /the directory does not exist.*\(ENOENT\)/);
  const directory = scratchDirectory(t);
  const first = new BridgeProcess(t, ['join', 'a', `${directory}/x`, '-s', url, '--mode', '600']);
  await first.prints('ready');
  await fails(['join', 'a', `${directory}/x`, '-s', url], /the address is in use/);
});

test('a signal before there is a bridge ends the process', withNats, async (t) => {
  const nats = await startNats(t);
  nats.process.kill('SIGSTOP');
  const bridge = new BridgeProcess(t, ['join', 'a', `${scratchDirectory(t)}/x`, '-s', nats.url]);
  await pause(1000);
  bridge.kill('SIGUSR2');
  await pause(100);
  bridge.kill('SIGTERM');
  assert.equal((await bridge.ended).code, 128 + 15);
});

test('a limit of sessions', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const { url } = await startNats(t);

  await echoService(t, `${directory}/service`, 'here');
  const common = ['-s', url, '--json'];
  const serve = new BridgeProcess(t, [
    'serve',
    'a',
    `${directory}/service`,
    ...common,
    '--max-sessions',
    '1',
  ]);
  await serve.until('ready');
  const join = new BridgeProcess(t, ['join', 'a', `${directory}/clients`, ...common]);
  await join.until('ready');
  const client = new Running(t, 'python3', [supportFile('interactive.py'), `${directory}/clients`], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await client.prints('here');
  const second = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.match((await second.ended).stdout, /^(EOF|ECONNRESET|EPIPE)\n$/);
  const [refused] = await join.until('refused');
  assert.equal(refused?.code, 'EAGAIN');
  client.child.stdin?.end();
  await join.until('closed');
  const third = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.equal(await third.done(), 'here\n');
});
