/** Promise: a socket file is reclaimed by one server, and a live one's is lost neither to others nor to SIGKILL. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { connect, listen } from 'seqpacket';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';
import { listeningAt } from '../support/sockets.js';

const SERVERS = Number(process.env['SEQPACKET_RACE_SERVERS'] ?? 6);
const ROUNDS = Number(process.env['SEQPACKET_RACE_ROUNDS'] ?? 6);

/** Each line is a path, a mode and a time; or what becomes of the server that won. */
const RACER = `
  import { listen } from 'seqpacket';
  import { createInterface } from 'node:readline';
  let acceptor;
  for await (const line of createInterface(process.stdin)) {
    const [command, mode, time] = line.split(' ');
    if (command === 'close') acceptor?.close();
    else if (command === 'die') acceptor?.release().close();
    else {
      acceptor = undefined;
      while (Date.now() < Number(time));
      try {
        acceptor = listen(command, { mode: mode === 'none' ? undefined : Number.parseInt(mode, 8) });
        console.log('won');
      } catch (error) {
        console.log(error.code, error.syscall);
      }
    }
  }
`;

const MODES = ['none', '600', '666'];

test('of servers that start at once where a dead file lies exactly one listens', async (t) => {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  const servers = Array.from({ length: SERVERS }, () => {
    const server = spawn(process.execPath, ['--input-type=module', '-e', RACER], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => server.kill('SIGKILL'));
    const lines = createInterface(server.stdout)[Symbol.asyncIterator]();
    return {
      tell: (line: string) => server.stdin.write(`${line}\n`),
      hear: async () => (await lines.next()).value,
    };
  });
  for (let round = 0; round < ROUNDS; round++) {
    // In every other round the dead file is the last winner's.
    if (!existsSync(path)) listeningAt(path).close();
    const start = Date.now() + 10;
    for (const [index, { tell }] of servers.entries()) tell(`${path} ${MODES[(round + index) % 3]} ${start}`);
    const outcomes: string[] = await Promise.all(servers.map(({ hear }) => hear()));
    const winner = outcomes.indexOf('won');
    assert.notEqual(winner, -1, `round ${round}: ${outcomes}`);
    const others = outcomes.filter((_, index) => index !== winner);
    assert.deepEqual(
      others,
      others.map(() => 'EADDRINUSE bind'),
      `round ${round}: ${outcomes}`,
    );
    const mode = MODES[(round + winner) % 3]!;
    if (mode !== 'none') assert.equal((statSync(path).mode & 0o7777).toString(8), mode);
    (await connect(path)).close();
    assert.deepEqual(readdirSync(directory), ['socket']);
    for (const { tell } of servers) tell(round % 2 === 0 ? 'die' : 'close');
  }
});

const STRACE = { skip: missing('strace') };

/** Arguments of strace(1), with faults for some calls (`link,linkat:signal=KILL`), which it counts by thread. */
function injecting(faults: readonly string[], script: string, ...args: string[]): string[] {
  // A question mark: a call that this processor need not have.
  const injections = faults.map((fault) => {
    const [calls, ...rest] = fault.split(':');
    return ['-e', `inject=${[calls!.replaceAll(/\w+/g, '?$&'), ...rest].join(':')}`];
  });
  return ['-qq', '-f', ...injections.flat(), process.execPath, '--input-type=module', '-e', script, ...args];
}

const LISTEN = `
  import { listen } from 'seqpacket';
  process.umask(0o022);
  const acceptor = listen(process.argv[1], { mode: 0o666 });
  if (process.argv[2] === 'close') acceptor.close();
  process.exit();
`;

/** Runs a server that is killed when it makes the call for that time; returns whether it was. */
async function killedAt(call: string, time: number, path: string): Promise<boolean> {
  const args = injecting([`${call}:signal=KILL:when=${time}`], LISTEN, path, 'close');
  const child = spawn('strace', args, { stdio: 'ignore' });
  const [code, signal] = await once(child, 'exit');
  if (signal === null && code === 0) return false;
  assert.equal(signal, 'SIGKILL');
  return true;
}

/** What is left of servers that were killed: never anything under a name that could be a server's. */
function removeHidden(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith('.seqpacket-')) continue;
    rmSync(`${directory}/${name}`, { recursive: true });
  }
}

for (const [call, least] of [
  ['bind', 3],
  ['listen', 1],
  ['connect', 2],
  ['chmod,fchmodat', 1],
  ['mkdir,mkdirat', 2],
  ['link,linkat', 1],
  ['rename,renameat', 1],
  ['unlink,unlinkat', 3],
] as const) {
  test(`a server that is killed at any ${call} leaves a name that can be listened at`, STRACE, async () => {
    const directory = scratchDirectory();
    const path = `${directory}/socket`;
    for (let time = 1; ; time++) {
      listeningAt(path).close();
      const dead = statSync(path);
      const killed = await killedAt(call, time, path);
      if (killed) {
        if (existsSync(path)) {
          const { ino, mode } = statSync(path);
          if (ino !== dead.ino) assert.equal((mode & 0o7777).toString(8), '666');
        }
        const acceptor = listen(path);
        (await connect(path)).close();
        acceptor.close();
      } else {
        assert.ok(time > least, `${call} is made ${time - 1} times`);
      }
      removeHidden(directory);
      assert.deepEqual(readdirSync(directory), []);
      if (!killed) break;
    }
  });
}

test('claims of servers that were killed while they reclaimed are reclaimed, too', STRACE, async () => {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  listeningAt(path).close();
  const { ino } = statSync(path);
  const sockets = () => readdirSync(directory).filter((name) => statSync(`${directory}/${name}`).isSocket());
  for (let claims = 1; claims <= 3; claims++) {
    // Each holds a claim upon the claim of the one before it, and has removed nothing.
    assert.ok(await killedAt('rename,renameat', 1, path));
    assert.equal(statSync(path).ino, ino);
    assert.equal(sockets().length, 1 + claims);
  }
  using _acceptor = listen(path);
  (await connect(path)).close();
  assert.deepEqual(sockets(), ['socket']);
});

const REMOVAL = 'rename,renameat,unlink,unlinkat';

/** Longer than it takes the other server to come in between. */
const DELAYED = `${REMOVAL}:delay_enter=1500000:when=1`;
const MEANWHILE_MS = 700;

test('a server that starts while another one reclaims is refused, and removes nothing', STRACE, async (t) => {
  const path = `${scratchDirectory()}/socket`;
  listeningAt(path).close();
  const script = `
    import { listen } from 'seqpacket';
    console.log('starts');
    try { globalThis.acceptor = listen(process.argv[1]); console.log('listens'); }
    catch (error) { console.log(error.code); }
    process.stdin.resume();
    process.stdin.on('end', () => process.exit());
  `;
  // What it has taken by mistake would be put back by link(2).
  const args = injecting([DELAYED, 'link,linkat:signal=KILL'], script, path);
  const child = spawn('strace', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'starts');
  await new Promise((resolve) => setTimeout(resolve, MEANWHILE_MS));
  assert.throws(() => listen(path), { code: 'EADDRINUSE', syscall: 'bind', address: path });
  assert.equal((await lines.next()).value, 'listens');
  (await connect(path)).close();
  child.stdin.end();
  await once(child, 'exit');
});

test(
  'a successor’s file is not removed, even if it comes while the predecessor removes its own',
  STRACE,
  async (t) => {
    const path = `${scratchDirectory()}/socket`;
    const script = `
    import { listen } from 'seqpacket';
    const acceptor = listen(process.argv[1]);
    console.log('closes');
    acceptor.close();
    process.exit();
  `;
    const predecessor = spawn('strace', injecting([DELAYED], script, path), {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => predecessor.kill('SIGKILL'));
    const ended = once(predecessor, 'exit');
    await once(predecessor.stdout, 'data');
    // The predecessor has looked at its file by now, and is about to take it away.
    await new Promise((resolve) => setTimeout(resolve, MEANWHILE_MS));
    using successor = listen(`${path}.next`);
    renameSync(`${path}.next`, path);
    assert.deepEqual(await ended, [0, null]);
    const [client, server] = await Promise.all([connect(path), successor.accept()]);
    client.close();
    server.close();
  },
);

test('SIGKILL at any moment costs no live server its file', async (t) => {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  const script = `
    import { connect, listen } from 'seqpacket';
    // In case the test is killed before it can kill this.
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      try {
        const acceptor = listen(process.argv[1], { mode: 0o666 });
        for (let times = 0; times < 3; times++) {
          const client = connect(process.argv[1]);
          (await acceptor.accept()).close();
          (await client).close();
        }
        if (Math.random() < 0.5) acceptor.close();
        else acceptor.release().close();
      } catch (error) {
        if (error.code !== 'EADDRINUSE') { console.log(error.message); process.exit(1); }
      }
    }
  `;
  const start = () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text) => faults.push(text));
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const faults: string[] = [];
  const children = [start(), start(), start()];
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise((resolve) => setTimeout(resolve, 60 + Math.random() * 40));
    const victim = round % children.length;
    const ended = once(children[victim]!, 'exit');
    children[victim]!.kill('SIGKILL');
    await ended;
    children[victim] = start();
  }
  await Promise.all(
    children.map((child) => {
      child.kill('SIGKILL');
      return once(child, 'exit');
    }),
  );
  assert.deepEqual(faults, []);
  listen(path).close();
  removeHidden(directory);
  assert.deepEqual(readdirSync(directory), []);
});

test('many names are made, reclaimed and removed in one directory at once', async () => {
  const directory = scratchDirectory();
  const script = `
    import { listen } from 'seqpacket';
    for (let times = 0; times < 25; times++) {
      const path = process.argv[1] + '/' + process.argv[2];
      listen(path, { mode: 0o666 }).release().close();
      listen(path).close();
    }
  `;
  const children = Array.from({ length: 4 }, (_, index) =>
    spawn(process.execPath, ['--input-type=module', '-e', script, directory, `${index}`], {
      stdio: 'inherit',
    }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.deepEqual(codes, [0, 0, 0, 0]);
  assert.deepEqual(readdirSync(directory), []);
});
