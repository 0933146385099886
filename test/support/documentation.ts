/** The code in README and docs: what there is, and how it is run as it stands there. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { missing, unsanitizedEnvironment } from './programs.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Made by `npm run docs`, out of the docstrings; installed by it. */
const GENERATED = /^docs\/(reference|node_modules)\//;

export const documents: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name}`)
    .filter((name) => name.endsWith('.md') && !GENERATED.test(name))
    .sort(),
];

/** Of packages/bridge, and tested by its bridge-guide.test.ts. */
export const bridge: readonly string[] = ['docs/bridge-protocol.md', 'docs/guide/more-than-one-machine.md'];

/** Whose programs are run by documentation-cookbook.test.ts, and by documentation-guide.test.ts. */
export const cookbook: readonly string[] = documents.filter((name) => name.startsWith('docs/cookbook/'));
export const guide: readonly string[] = documents.filter(
  (name) => /^(README|docs\/index|docs\/(guide|coming-from)\/.*)/.test(name) && !bridge.includes(name),
);

export interface Block {
  document: string;
  language: string;
  text: string;
  /** The name of the file, if the first line is a comment that says so. */
  file: string | undefined;
}

const FILE_NAME = /^(?:\/\/|#|;) (\S+\.\w+)\n/;

export function blocksOf(document: string): Block[] {
  const text = readFileSync(root + document, 'utf8');
  return [...text.matchAll(/^ *```(\S*)\n(.*?)^ *```$/gms)].map(([, language = '', code = '']) => ({
    document,
    language,
    text: code,
    file: FILE_NAME.exec(code)?.[1],
  }));
}

/** A session in a shell: what is typed after `$ `, and what is shown then. */
export interface Step {
  command: string;
  output: string;
}

export function stepsOf({ text }: Block): Step[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = '', ...output] = step.split('\n');
      return { command, output: output.join('\n') };
    });
}

/** How a block is called in the lists of the tests: by its page and its first line. */
export function nameOf({ document, text }: Block): string {
  return `${document}: ${text.split('\n')[0]}`;
}

/** What cannot be run here, and why. Everything else is. */
export const UNTESTED: Readonly<Record<string, string>> = {
  'bench/README.md: node bench/peers/seqpacket.mjs sink /tmp/a.socket 64 600 1000 &':
    'takes as long as it measures; bench.test.ts starts these programs',
  'docs/cli.md: $ seqpacket bench':
    'the figures are of one moment; cli-bench.test.ts looks at what it prints',
  'docs/cookbook/privileged-helper.md: $ sudo mkdir -m 700 /tmp/vault':
    'needs sudo; documentation-cookbook.test.ts runs the same programs as two users',
};

/** What the kernel says of a path: its file is there a moment before its server listens. */
export function isListening(path: string): boolean {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return lines.some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === LISTENING);
}

/** __SO_ACCEPTCON, in the column of flags. */
const LISTENING = '00010000';

const INTERPRETERS: Record<string, string> = {
  py: 'python3',
  sh: 'sh',
  mjs: process.execPath,
  ts: process.execPath,
};

/**
 * The programs of one page, in a directory of their own inside the package, so that they find it by its name.
 * `/tmp` is another directory for each page, so that nothing else on this machine is in the way.
 */
export class Page {
  readonly directory: string;
  /** What the programs see as `/tmp`. */
  readonly temporary: string = mkdtempSync(join(tmpdir(), 'seqpacket-page-'));
  readonly blocks: readonly Block[];
  readonly #ran = new Set<string>();

  constructor(readonly document: string) {
    this.blocks = blocksOf(document);
    const test = basename(process.argv[1] ?? '', '.test.js');
    this.directory = `${root}build/documentation/${test}/${document.replace(/\.md$/, '')}`;
    before(() => {
      rmSync(this.directory, { recursive: true, force: true });
      mkdirSync(this.directory, { recursive: true });
      for (const { file, text } of this.blocks) {
        if (file !== undefined) writeFileSync(`${this.directory}/${file}`, this.here(text));
      }
    });
    after(() => {
      rmSync(this.directory, { recursive: true, force: true });
      rmSync(this.temporary, { recursive: true, force: true });
    });
  }

  /** With this page's directory in place of `/tmp`. */
  here(text: string): string {
    return text.replaceAll('/tmp/', `${this.temporary}/`);
  }

  /** The files that no test has run. */
  get notRun(): string[] {
    return this.blocks.flatMap(({ file }) => (file === undefined || this.#ran.has(file) ? [] : [file]));
  }

  /** Says that a file takes part in what is run, though not by itself. */
  uses(file: string): string {
    this.#ran.add(file);
    return `${this.directory}/${file}`;
  }

  /** Starts a program, which is killed when the test ends. */
  start(t: TestContext, file: string, args: readonly string[] = [], options: SpawnOptions = {}): Program {
    const written = this.uses(file);
    const path = file.endsWith('.ts') ? withoutTypes(written) : written;
    const [program, ...before] = file.endsWith('.go')
      ? [compiledGo(path)]
      : [INTERPRETERS[file.replace(/.*\./, '')] as string, path];
    return new Program(t, program as string, [...before, ...args], { cwd: this.directory, ...options });
  }

  /** Starts a program by another one, which gets its command line. */
  startBy(t: TestContext, starter: string, args: readonly string[], file: string): Program {
    const command = [process.execPath, this.uses(file)];
    return new Program(t, starter, [...args, ...command], { cwd: this.directory, env: process.env });
  }

  /** Runs a program to its end, and gives what it printed. */
  run(
    t: TestContext,
    file: string,
    args: readonly string[] = [],
    options: SpawnOptions = {},
  ): Promise<string> {
    return this.start(t, file, args, options).output;
  }

  /** Starts a server, and waits until it listens. */
  async serve(t: TestContext, file: string, socket: string, options: SpawnOptions = {}): Promise<Program> {
    // A server that the last test has killed may not have ended yet.
    while (isListening(this.here(socket))) await new Promise((resolve) => setTimeout(resolve, 3));
    const server = this.start(t, file, [], options);
    await server.until(() => isListening(this.here(socket)));
    return server;
  }
}

/** A running program. */
export class Program {
  readonly child: ChildProcess;
  /** What it has printed; settles when it has ended, and rejects if it failed. */
  readonly output: Promise<string>;
  printed = '';
  said = '';
  #isOver = false;

  constructor(t: TestContext, program: string, args: readonly string[], options: SpawnOptions) {
    this.child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(program === process.execPath ? {} : { env: unsanitizedEnvironment() }),
      ...options,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.printed += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    this.output = once(this.child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      if (code === 0 || signal === 'SIGTERM') return this.printed;
      throw new Error(`${args[0] ?? program} ended with ${signal ?? code}\n${this.printed}${this.said}`);
    });
    this.output.catch(() => {});
    t.after(() => {
      this.child.kill('SIGKILL');
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#isOver) throw new Error(`It ended too early\n${await this.output}${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** Ends it, and gives what it printed. */
  stop(): Promise<string> {
    this.child.kill();
    return this.output;
  }
}

/** The number of descriptors that a program has open, without `/dev/null`, which Node.js opens when it likes. */
export function descriptorsOf({ child }: Program): number {
  const directory = `/proc/${child.pid}/fd`;
  return readdirSync(directory).filter((name) => !isClosedOrNull(`${directory}/${name}`)).length;
}

function isClosedOrNull(link: string): boolean {
  try {
    return readlinkSync(link) === '/dev/null';
  } catch {
    return true;
  }
}

export const withPython = { skip: missing('python3') };
export const withGo = { skip: missing('go') };

/** The program in JavaScript, which every version of Node.js runs; the compiler checks the types of all such blocks. */
function withoutTypes(source: string): string {
  const program = source.replace(/\.ts$/, '.from-ts.mjs');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions });
  writeFileSync(program, outputText);
  return program;
}

function compiledGo(source: string): string {
  const binary = source.replace(/\.go$/, '');
  const { status, stderr } = spawnSync('go', ['build', '-o', binary, source], {
    encoding: 'utf8',
    env: { ...unsanitizedEnvironment(), CGO_ENABLED: '0', GO111MODULE: 'off' },
  });
  if (status !== 0) throw new Error(`${source} does not compile:\n${stderr}`);
  return binary;
}
