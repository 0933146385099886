/** Sessions in README and docs: each typed command prints the documented output. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { connect } from 'seqpacket';
import { Cli, COMMAND } from '../support/command.js';
import {
  type Block,
  blocksOf,
  documents,
  nameOf,
  Page,
  Program,
  stepsOf,
  UNTESTED,
} from '../support/documentation.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';

const TIMEOUT = { timeout: 30_000 };

const sessions = new Map<string, Block>();
for (const block of documents.flatMap(blocksOf)) {
  if (block.language === 'console' || block.language === 'c') sessions.set(nameOf(block), block);
}

const tested = new Set<string>(Object.keys(UNTESTED));

function session(name: string): Block {
  tested.add(name);
  const block = sessions.get(name);
  if (block === undefined) throw new Error(`There is no session ${name}`);
  return block;
}

/**
 * What differs from time to time and from machine to machine: numbers, the columns that are as wide as they, and what
 * Node.js 26 calls its first thread.
 */
function alike(text: string): string {
  return text
    .replaceAll('node-MainThread', 'node')
    .replaceAll(/\d+/g, '0')
    .replaceAll(/ {2,}/g, ' ')
    .replaceAll(/^"?vm"?$/gm, hostname());
}

/** The same lines, in whatever order. */
function sorted(text: string): string[] {
  return alike(text).split('\n').filter(Boolean).sort();
}

/** Where sessions take place: a directory in which `seqpacket` and `npx seqpacket` are those of this package. */
const place = mkdtempSync(join(tmpdir(), 'seqpacket-session-'));
after(() => rmSync(place, { recursive: true, force: true }));
mkdirSync(`${place}/bin`);
const preload = process.env['LD_PRELOAD'] ?? '';
const script = `#!/bin/sh\nLD_PRELOAD='${preload}' exec '${process.execPath}' '${COMMAND}' "$@"\n`;
writeFileSync(`${place}/bin/seqpacket`, script);
writeFileSync(`${place}/bin/npx`, '#!/bin/sh\nexec "$@"\n');
writeFileSync(`${place}/bin/node`, `#!/bin/sh\nLD_PRELOAD='${preload}' exec '${process.execPath}' "$@"\n`);
for (const name of ['seqpacket', 'npx', 'node']) chmodSync(`${place}/bin/${name}`, 0o755);

const environment = { ...unsanitizedEnvironment(), PATH: `${place}/bin:${process.env['PATH']}` };

/** Types all of a session, and waits after what runs in the background until somebody listens there. */
async function typed(t: TestContext, commands: readonly string[], cwd = place, ready = ''): Promise<string> {
  const wait =
    ready === '' ? '' : `until grep -q ' 00010000 .* ${ready}$' /proc/net/unix; do sleep 0.01; done`;
  const lines = commands.map((command) => (command.endsWith('&') ? `${command}\n${wait}` : command));
  const text = `exec 2>&1\n${lines.join('\n')}\nkill $(jobs -p) 2>/dev/null; wait; exit 0`;
  return new Program(t, 'bash', ['-c', text], { cwd, env: environment }).output;
}

/** A name in the abstract namespace that nobody else has, in place of the one that is documented. */
const FILES = `@files-${process.pid}`;
const own = (text: string) => text.replaceAll('@files', FILES);
const documented = (text: string) => text.replaceAll(FILES, '@files');

function cli(t: TestContext, args: readonly string[]): Cli {
  return new Cli(t, args, { cwd: place });
}

/** The arguments of a documented command. */
function args(command: string): string[] {
  return [...own(command).matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)]
    .map(([, double, single, plain]) => double ?? single ?? plain ?? '')
    .slice(1);
}

/** Waits until a service of the session can be connected to. */
async function answers(name: string): Promise<void> {
  for (;;) {
    try {
      (await connect(`${place}/${name}`)).close();
      return;
    } catch (error) {
      assert.match(String((error as NodeJS.ErrnoException).code), /ENOENT|ECONNREFUSED/);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function capitals(t: TestContext): Promise<void> {
  const name = 'docs/cli.md: $ seqpacket listen --keep --exec "stdbuf -oL tr a-z A-Z" capitals.socket';
  const [step] = stepsOf(session(name));
  const service = cli(t, args(step!.command));
  // The next test is not to connect to a service that is about to end.
  t.after(async () => {
    service.process.kill('SIGKILL');
    await service.ended;
  });
  await answers('capitals.socket');
}

describe('connect', TIMEOUT, () => {
  it('lines', async (t) => {
    await capitals(t);
    const name = "docs/cli.md: $ printf 'hello\\nhow are you?\\n' | seqpacket connect capitals.socket";
    const [step] = stepsOf(session(name));
    assert.equal(await typed(t, [step!.command]), step!.output);
  });

  it('requests', async (t) => {
    await capitals(t);
    const steps = stepsOf(session('docs/cli.md: $ seqpacket connect -m status capitals.socket'));
    assert.ok(steps.length > 1);
    for (const { command, output } of steps) assert.equal(await typed(t, [command]), output);
  });

  it('JSON', async (t) => {
    await capitals(t);
    const name = `docs/cli.md: $ seqpacket connect --json -m '{"data": "hi"}' capitals.socket`;
    const [step] = stepsOf(session(name));
    assert.equal(alike(await typed(t, [step!.command])), alike(step!.output));
  });

  it('descriptors', async (t) => {
    const service = cli(t, ['listen', '--verbose', '-m', 'here it is', '--fd', '/etc/hostname', FILES]);
    await service.tells('listening at ');
    const [step] = stepsOf(session('docs/cli.md: $ seqpacket connect --print-fds @files'));
    assert.deepEqual(sorted(await typed(t, [own(step!.command)])), sorted(step!.output));
  });

  it('errors', async (t) => {
    const [step] = stepsOf(session('docs/cli.md: $ seqpacket connect capitals.sock'));
    assert.equal(await typed(t, [step!.command]), step!.output);
  });
});

describe('listen', TIMEOUT, () => {
  it('to one client', async (t) => {
    const [step] = stepsOf(session('docs/cli.md: $ seqpacket listen --verbose talk.socket'));
    const service = cli(t, args(step!.command));
    await service.tells('listening at ');
    await cli(t, ['connect', '-m', 'good morning', 'talk.socket']).done();
    const { stdout, stderr } = await service.done();
    assert.deepEqual(sorted(stderr + stdout), sorted(step!.output));
  });
});

describe('ls', { ...TIMEOUT, skip: missing('ss') }, () => {
  it('all, and those with an address, also as JSON', async (t) => {
    await capitals(t);
    await cli(t, ['listen', '--keep', '--verbose', FILES]).tells('listening at ');
    await cli(t, ['connect', '--verbose', 'capitals.socket']).tells('connected');

    // That a client is connected does not say that it was accepted, nor that the one before it is gone.
    const [all] = stepsOf(session('docs/cli.md: $ seqpacket ls'));
    const expected = sorted(all!.output);
    for (const end = Date.now() + 10_000; ; ) {
      const shown = documented(await typed(t, [all!.command])).split('\n');
      const ours = sorted(shown.filter((line) => /^STATE|capitals\.socket|@files/.test(line)).join('\n'));
      if (!isDeepStrictEqual(ours, expected) && Date.now() < end) continue;
      assert.deepEqual(ours, expected);
      break;
    }

    const some = stepsOf(session('docs/cli.md: $ seqpacket ls capitals.socket'));
    for (const { command, output } of some)
      assert.deepEqual(sorted(await typed(t, [command])), sorted(output));

    const [json] = stepsOf(session('docs/cli.md: $ seqpacket ls --json @files'));
    assert.equal(alike(documented(await typed(t, [own(json!.command)]))), alike(json!.output));
  });
});

describe('trace and replay', TIMEOUT, () => {
  it('of one conversation', async (t) => {
    await capitals(t);
    const name = 'docs/cli.md: $ seqpacket trace --write talk.pcapng between.socket capitals.socket';
    const [trace] = stepsOf(session(name));
    const tracing = cli(t, args(trace!.command));
    await tracing.tells('listening at ');
    const client = cli(t, ['connect', '-m', 'hello', '--fd', '/etc/hostname', 'between.socket']);
    await client.prints('HELLO');
    await client.done();
    await tracing.prints('closed');
    const { stdout, stderr } = await tracing.interrupted();
    assert.deepEqual(sorted(stderr + stdout), sorted(trace!.output));

    const [replay] = stepsOf(session('docs/cli.md: $ seqpacket replay talk.pcapng capitals.socket'));
    assert.deepEqual(sorted(await typed(t, [replay!.command])), sorted(replay!.output));

    cli(t, ['listen', '--keep', '--exec', 'while read line; do echo goodbye; done', 'polite.socket']);
    await answers('polite.socket');
    const steps = stepsOf(session('docs/cli.md: $ seqpacket replay --quiet talk.pcapng polite.socket'));
    const differing = await typed(
      t,
      steps.map(({ command }) => command),
    );
    assert.deepEqual(sorted(differing), sorted(steps.map(({ output }) => output).join('')));

    const ignoring =
      "docs/cli.md: $ seqpacket replay --quiet --ignore 'HELLO|goodbye' talk.pcapng polite.socket";
    const [ignored] = stepsOf(session(ignoring));
    assert.equal(alike(await typed(t, [ignored!.command])), alike(ignored!.output));

    const fields = 'frame.interface_name -e frame.packet_flags_direction -e data.data -e frame.comment';
    const [tshark] = stepsOf(session(`docs/cli.md: $ tshark -r talk.pcapng -T fields -e ${fields}`));
    if (missing('tshark') !== false) return t.diagnostic(String(missing('tshark')));
    const seen = (await typed(t, [`${tshark!.command} 2>/dev/null`])).trimEnd();
    assert.deepEqual(sorted(seen), sorted(tshark!.output));
  });

  it('and show, of JSON', async (t) => {
    await capitals(t);
    const name = 'docs/cli.md: $ seqpacket trace --text --write json.pcapng between.socket capitals.socket';
    const [trace] = stepsOf(session(name));
    const tracing = cli(t, args(trace!.command));
    await tracing.tells('listening at ');
    const search =
      '{"id":7,"method":"search","parameters":{"text":"two words","limit":10,"sort":["name","date"]}}';
    await cli(t, ['connect', '-m', search, '-m', '{"id": 8, "method": "status"}', 'between.socket']).done();
    await tracing.prints('closed');
    const { stdout, stderr } = await tracing.interrupted();
    assert.deepEqual(sorted(stderr + stdout), sorted(trace!.output));

    const selecting = 'docs/cli.md: $ seqpacket show --text --direction server --match STATUS json.pcapng';
    const steps = stepsOf(session(selecting));
    const shown = await typed(
      t,
      steps.map(({ command }) => command),
    );
    assert.equal(alike(shown), alike(steps.map(({ output }) => output).join('')));

    const recipe = [...sessions.keys()].find((each) => each.includes('tshark -r json.pcapng -o'));
    const [tshark] = stepsOf(session(recipe!));
    if (missing('tshark') !== false) return t.diagnostic(String(missing('tshark')));
    const decoded = await typed(t, [`${tshark!.command} 2>/dev/null`]);
    assert.deepEqual(sorted(decoded), sorted(tshark!.output));
  });
});

describe('trace --web', TIMEOUT, () => {
  it('prints the address of the page', async (t) => {
    const name = 'docs/cli.md: $ seqpacket trace --quiet between.socket capitals.socket --web';
    const [step] = stepsOf(session(name));
    const tracing = cli(t, args(step!.command));
    await tracing.tells('in a browser\n');
    const { stdout, stderr } = await tracing.interrupted();
    const withoutToken = (text: string) => alike(text.replace(/#token=[\w-]{43} /, '#token=TOKEN '));
    assert.equal(withoutToken(stderr + stdout), withoutToken(step!.output));
  });
});

describe('the guide', TIMEOUT, () => {
  const first = new Page('docs/guide/first.md');
  const systemd = new Page('docs/guide/systemd.md');

  async function shows(t: TestContext, page: Page, names: readonly string[], ready: string): Promise<void> {
    const steps = names.flatMap((name) => stepsOf(session(`${page.document}: ${name}`)));
    const commands = steps.map(({ command }) => page.here(command));
    const output = await typed(t, commands, page.directory, page.here(ready));
    assert.equal(
      output
        .split('\n')
        .filter((line) => !/^(Listening on|Communication attempt|Spawned|Execing|got greeter)/.test(line))
        .join('\n'),
      steps.map((step) => step.output).join(''),
    );
  }

  it('a first server and client', async (t) => {
    const names = ['$ node server.mjs &', "$ npx seqpacket connect -m '[20, 22]' /tmp/sums.socket"];
    await shows(t, first, names, '/tmp/sums.socket');
  });

  it('systemd', { skip: missing('systemd-socket-activate') }, async (t) => {
    const name =
      '$ systemd-socket-activate --seqpacket --listen /tmp/greeter.socket --fdname greeter node service.mjs &';
    await shows(t, systemd, [name], '/tmp/greeter.socket');
  });
});

describe('semantics', TIMEOUT, () => {
  it('the system calls of a send and a receive', { skip: missing('strace') }, () => {
    const [name] = [...sessions.keys()].filter((each) => each.startsWith('docs/semantics.md: send'));
    const { text } = session(name!);
    const program = `
      import { SeqpacketSocket } from 'seqpacket';
      const [a, b] = SeqpacketSocket.pair();
      await a.send(Buffer.alloc(64));
      await b.receive(Buffer.alloc(64));
      process.exit();
    `;
    const calls = 'trace=sendto,sendmsg,sendmmsg,recvfrom,recvmsg,recvmmsg';
    const { stderr } = spawnSync(
      'strace',
      ['-f', '-qq', '-e', calls, process.execPath, '--input-type=module', '-e', program],
      { encoding: 'utf8' },
    );
    const ours = stderr
      .split('\n')
      .filter((line) => line.endsWith('= 64'))
      .map((line) => line.replace(/^\[pid +\d+\] /, '').replaceAll(/"(\\0)+"(\.\.\.)?/g, '"…"'));
    assert.equal(alike(ours.join('\n')), alike(text.trimEnd()));
  });
});

test('every session was tried', () => {
  // cli-help.test.ts compares what `--help` shows; documentation-cookbook.test.ts makes the image for skopeo.
  const elsewhere = /--help$|^docs\/cookbook\/json-and-pipes\.md: \$ node image\.mjs/;
  const left = [...sessions.keys()].filter((name) => !tested.has(name) && !elsewhere.test(name));
  assert.deepEqual(left, []);
  assert.ok(existsSync(COMMAND) && readFileSync(COMMAND).length > 0);
});
