/** How the command explains itself: help, manual page, completion, errors; and that docs/cli.md says the same. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/command.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };
const PROGRAM = { encoding: 'utf8', timeout: 20_000, env: unsanitizedEnvironment() } as const;
const root = fileURLToPath(new URL('../../../', import.meta.url));
const documentation = readFileSync(`${root}docs/cli.md`, 'utf8');
const COMMANDS = ['connect', 'listen', 'ls', 'trace', 'show', 'replay', 'bench', 'completion', 'manual'];

const helps = new Map<string, string>();

async function helpOf(t: TestContext, ...command: string[]): Promise<string> {
  const known = helps.get(command.join());
  if (known !== undefined) return known;
  const { code, stdout } = await run(t, [...command, '--help']);
  assert.equal(code, 0);
  helps.set(command.join(), stdout);
  return stdout;
}

describe('help', TIMEOUT, () => {
  for (const command of ['', ...COMMANDS]) {
    it(`of seqpacket ${command} is the same as in docs/cli.md`, async (t) => {
      const help = await helpOf(t, ...(command === '' ? [] : [command]));
      const shown = ['seqpacket', command, '--help'].filter(Boolean).join(' ');
      const [, documented] = documentation.split(`\n\`\`\`console\n$ ${shown}\n`);
      assert.equal(documented?.split('\n```\n')[0], help.trimEnd(), 'paste it there');
      if (command !== '' && command !== 'manual')
        assert.match(help, /\nExamples:\n {2}\S.*\n {4}.*seqpacket /);
    });
  }

  it('of all commands is reached from the first one', async (t) => {
    const help = await helpOf(t);
    for (const command of COMMANDS) assert.match(help, new RegExp(`^ {2}${command}\\b`, 'm'));
    assert.equal((await run(t, ['help', 'ls'])).stdout, await helpOf(t, 'ls'));
  });

  it('lists the exit codes of docs/cli.md', async (t) => {
    const codes = [...(await helpOf(t)).split('Exit codes:')[1]!.matchAll(/\b(\d+) /g)].map(
      ([, code]) => code,
    );
    for (const code of codes) assert.match(documentation, new RegExp(`^\\| ${code} \\|`, 'm'));
    assert.deepEqual(codes, ['0', '1', '2', '124']);
  });

  it('--version is that of the package', async (t) => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    assert.equal((await run(t, ['--version'])).stdout, `${version}\n`);
  });
});

describe('wrong usage', TIMEOUT, () => {
  const cases: [string[], RegExp][] = [
    [['conect', '/x'], /unknown command 'conect' \(Did you mean connect\?\) \(try "seqpacket --help"\)/],
    [['connect'], /missing required argument 'address' \(try "seqpacket connect --help"\)/],
    [['connect', '/x', '--hex', '--json'], /cannot be used with/],
    [['connect', '/x', '--timeout', '-1'], /A number of seconds/],
    [['connect', ''], /an address is a path, or @name/],
    [['connect', '/x', '--delimiter', '\\q'], /--delimiter: \\q is unknown/],
    [['listen', '@x', '--mode', '600'], /an abstract name has no permissions/],
    [['connect', '/x', '--count', '0'], /A whole number, 1 or greater/],
    [['trace', '/x', '/y', '--text', '--json'], /cannot be used with/],
    [['show', '/x', '--match', '('], /Invalid regular expression/],
    [['show', '/x', '--min-size', 'all'], /A number of bytes/],
    [['listen', '/x', '--exec-as', 'fd'], /--exec-as needs --exec/],
  ];
  for (const [args, reason] of cases) {
    it(`seqpacket ${args.join(' ')}`, async (t) => {
      const { code, stdout, stderr } = await run(t, args);
      assert.match(stderr, reason);
      assert.equal(stderr.split('\n').length, 2, 'one line');
      assert.equal(stdout, '');
      assert.equal(code, 2);
    });
  }
});

describe('errors', TIMEOUT, () => {
  it('are reported in one line with the remedy', async (t) => {
    const file = scratchPath();
    writeFileSync(file, '');
    for (const [args, reason] of [
      [['connect', '/nonexistent'], /cannot connect to \/nonexistent: no such socket: check the address/],
      [['connect', file], /no process listens there: start the service/],
      [['listen', file], /the address is in use, or another file exists there/],
      [['listen', '/nonexistent/x'], /the directory does not exist/],
    ] as const) {
      const { code, stderr } = await run(t, args);
      assert.match(stderr, reason);
      assert.equal(stderr.split('\n').length, 2, stderr);
      assert.equal(code, 1);
    }
  });
});

describe('the manual page', TIMEOUT, () => {
  it('is the one of the package, and has all commands and options', async (t) => {
    const { stdout } = await run(t, ['manual']);
    assert.equal(readFileSync(`${root}man/seqpacket.1`, 'utf8'), stdout);
    for (const command of COMMANDS) {
      const help = await helpOf(t, command);
      for (const [, flag] of help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)) {
        assert.ok(stdout.includes(flag!.replaceAll('-', '\\-')), `${command} ${flag}`);
      }
    }
  });

  it('is one that man can show', { skip: missing('man') }, () => {
    const env = { ...unsanitizedEnvironment(), MANROFFSEQ: '', LC_ALL: 'C.UTF-8', MANWIDTH: '100' };
    const args = ['--warnings', '-l', `${root}man/seqpacket.1`];
    const { status, stdout, stderr } = spawnSync('man', args, { ...PROGRAM, env });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, /seqpacket connect --hex -m '01 02 ff' -m 00 @service/);
    assert.match(stdout, /echo '\{"data": "two\\nlines"\}'/);
  });
});

describe('completion', TIMEOUT, () => {
  it('in bash', { skip: missing('bash') }, async (t) => {
    const { stdout: script } = await run(t, ['completion', 'bash']);
    const complete = (...words: string[]) => {
      const line = `COMP_WORDS=(seqpacket "$@"); COMP_CWORD=$#; _seqpacket; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const args = ['--norc', '-c', `${script}\n${line}`, 'bash', ...words];
      return execFileSync('bash', args, PROGRAM).trim().split('\n');
    };
    assert.deepEqual(complete('l'), ['listen', 'ls']);
    assert.deepEqual(complete('trace', '--by'), ['--bytes']);
    assert.deepEqual(complete('listen', '--exec-as', ''), ['lines', 'fd', 'stdio']);
    assert.deepEqual(complete('connect', '--no'), ['--no-shutdown']);
    assert.deepEqual(complete('show', '--direction', ''), ['client', 'server']);
    assert.deepEqual(complete('completion', ''), ['bash', 'zsh', 'fish']);
    assert.deepEqual(
      complete('connect', '/etc/passw').sort(),
      ['/etc/passwd', '/etc/passwd-'].filter(existsSync),
    );
  });

  it('in fish', { skip: missing('fish') }, async (t) => {
    const { stdout: script } = await run(t, ['completion', 'fish']);
    const complete = (line: string) =>
      execFileSync('fish', ['--no-config', '-c', `${script}\ncomplete -C ${JSON.stringify(line)}`], PROGRAM)
        .trim()
        .split('\n')
        .map((each) => each.split('\t')[0]);
    assert.deepEqual(complete('seqpacket l'), ['listen', 'ls']);
    assert.deepEqual(complete('seqpacket trace --by'), ['--bytes']);
    assert.deepEqual(complete('seqpacket listen --exec-as '), ['fd', 'lines', 'stdio']);
  });

  it('in zsh', { skip: missing('zsh') }, async (t) => {
    const { stdout: script } = await run(t, ['completion', 'zsh']);
    const file = scratchPath('_seqpacket');
    writeFileSync(file, script);
    // It has to be well-formed, and to define what the completion system calls.
    const check = `autoload -Uz compinit && compinit -D -d ${file}.dump && source ${file} && whence -w _seqpacket && print $_comps[seqpacket]`;
    const shown = execFileSync('zsh', ['-f', '-c', check], PROGRAM);
    assert.equal(shown, '_seqpacket: function\n_seqpacket\n');
  });
});
