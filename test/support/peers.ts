/** Other programs as the other end of a socket; Python first of all. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { on, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

/** A name in the abstract namespace that nobody else has. */
export function abstractName(): string {
  return `\0seqpacket-test-${randomUUID()}`;
}

/** Closes it when the test ends, even for the time it took: what waits for ever would keep the process alive. */
export function closing<T extends Disposable>(t: TestContext, endpoint: T): T {
  t.after(() => endpoint[Symbol.dispose]());
  return endpoint;
}

/** A running program, which is killed when the test ends. */
export class Peer {
  readonly process: ChildProcessWithoutNullStreams;
  stderr = '';
  readonly #ended: Promise<unknown[]>;

  constructor(t: TestContext, program: string, args: readonly string[]) {
    this.process = spawn(program, args);
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // Why it ended early is what finished() tells; a write that came too late need not.
    this.process.stdin.on('error', () => {});
    this.#ended = once(this.process, 'close');
    this.#ended.catch(() => {});
    t.after(() => {
      this.process.kill('SIGKILL');
      // What failed in the test may have failed there first.
      if (this.stderr !== '') t.diagnostic(this.stderr);
    });
  }

  /** Waits until it has written the text to its standard error, which is of no interest from then on. */
  async reports(text: string): Promise<void> {
    for await (const _ of on(this.process.stderr, 'data', { close: ['end', 'close'] })) {
      if (!this.stderr.includes(text)) continue;
      this.process.stderr.removeAllListeners('data').resume();
      this.stderr = '';
      return;
    }
    await this.finished();
    assert.fail(`${this.process.spawnfile} ended without reporting ${text}\n${this.stderr}`);
  }

  /** Waits for what it is about to do, which it must do before it ends. */
  meanwhile<T>(promise: Promise<T>): Promise<T> {
    const ended = this.finished().then(() => assert.fail(`${this.process.spawnfile} ended\n${this.stderr}`));
    return Promise.race([promise, ended]);
  }

  /** Waits until it has exited, which it must do without an error. */
  async finished(): Promise<void> {
    const [code, signal] = await this.#ended;
    assert.equal(signal ?? code, 0, `${this.process.spawnfile} ended with ${signal ?? code}\n${this.stderr}`);
  }
}

/** What the scripts have at hand. Each line that they print is a value as JSON. */
const PRELUDE = `
import hashlib, json, os, signal, socket, struct, sys

signal.alarm(60)  # in case the tests are killed before they can kill this
args = [json.loads(each) for each in sys.argv[1:]]

def say(value): print(json.dumps(value), flush=True)

def hear(): return json.loads(sys.stdin.readline())

def seqpacket(): return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

def listen(name):
    listener = seqpacket()
    listener.bind(name)
    listener.listen()
    say('listening')
    return listener

def connect(name):
    sock = seqpacket()
    sock.connect(name)
    say('connected')
    return sock

# For tests that are the same whoever connects; the first arguments are this side's role and the name.
def meet(): return listen(args[1]).accept()[0] if args[0] == 'server' else connect(args[1])
`;

/** Without the indentation that all lines have. */
function dedented(script: string): string {
  const [, indentation = ''] = /\n( *)\S/.exec(`\n${script}`) ?? [];
  return script.replaceAll(`\n${indentation}`, '\n');
}

/** A Python script in a process of its own; values go to and fro as lines of JSON. */
export class Python extends Peer {
  readonly #lines: AsyncIterator<string>;

  /** @param args JSON values: the list `args` in the script */
  constructor(t: TestContext, script: string, ...args: unknown[]) {
    // -I and -S: without what this machine adds to Python, which also starts sooner.
    const options = ['-I', '-S', '-X', 'utf8'];
    const values = args.map((value) => JSON.stringify(value));
    super(t, 'python3', [...options, '-c', PRELUDE + dedented(script), ...values]);
    this.#lines = createInterface(this.process.stdout)[Symbol.asyncIterator]();
  }

  /** The next value that the script says. */
  async says(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    await this.finished();
    throw new Error('The script ended without saying any more');
  }

  /** Tells the script a value, for its `hear()`. */
  tell(value: unknown): void {
    this.process.stdin.write(`${JSON.stringify(value)}\n`);
  }
}
