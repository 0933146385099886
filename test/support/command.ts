/** The command `seqpacket`, in a process of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The file that the package has as its `bin`. */
export const COMMAND = fileURLToPath(new URL('../../../dist/cli.mjs', import.meta.url));

export interface Outcome {
  /** The exit code, or the signal that ended it. */
  code: number | NodeJS.Signals;
  stdout: string;
  stderr: string;
}

const LONGEST_RUN_MS = process.env['SEQPACKET_TRACE_MESSAGES'] === undefined ? 60_000 : 600_000;

export class Cli {
  readonly process: ChildProcess & { stdin: Writable; stdout: Readable };
  readonly ended: Promise<Outcome>;
  stdout = '';
  stderr = '';
  #isOver = false;

  constructor(t: TestContext, args: readonly string[], options: SpawnOptions = {}) {
    const child = spawn(process.execPath, [COMMAND, ...args], { timeout: LONGEST_RUN_MS, ...options });
    this.process = child as Cli['process'];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // Why it ended early is what its outcome tells.
    child.stdin?.on('error', () => {});
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      return { code: signal ?? code, stdout: this.stdout, stderr: this.stderr };
    });
    this.ended.catch(() => {});
    t.after(() => {
      child.kill('SIGKILL');
      if (!this.#isOver && this.stderr !== '') t.diagnostic(this.stderr);
    });
  }

  /** Waits until the text was written to standard error. */
  tells(text: string): Promise<void> {
    return this.#until(() => this.stderr.includes(text), text);
  }

  /** Waits until the text was written to standard output. */
  prints(text: string): Promise<void> {
    return this.#until(() => this.stdout.includes(text), text);
  }

  /** Gives a line to its standard input. */
  type(line: string): void {
    this.process.stdin.write(`${line}\n`);
  }

  /** Ends its input, and waits until it has ended without an error. */
  async done(): Promise<Outcome> {
    this.process.stdin.end();
    const outcome = await this.ended;
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  }

  /** Interrupts it, as Ctrl-C does. */
  async interrupted(signal: NodeJS.Signals = 'SIGINT'): Promise<Outcome> {
    this.process.kill(signal);
    return this.ended;
  }

  async #until(isSo: () => boolean, text: string): Promise<void> {
    while (!isSo()) {
      if (this.#isOver)
        assert.fail(`It ended without ${JSON.stringify(text)}:\n${this.stdout}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Runs the command to its end. */
export function run(
  t: TestContext,
  args: readonly string[],
  input = '',
  options: SpawnOptions = {},
): Promise<Outcome> {
  const cli = new Cli(t, args, options);
  cli.process.stdin?.end(input);
  return cli.ended;
}

/** A `listen` that is ready. */
export async function listening(
  t: TestContext,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Cli> {
  const cli = new Cli(t, ['listen', '--verbose', ...args], options);
  await cli.tells('listening at ');
  return cli;
}

/** A `trace` that is ready. */
export async function tracing(t: TestContext, from: string, to: string, ...options: string[]): Promise<Cli> {
  const cli = new Cli(t, ['trace', from, to, ...options]);
  await cli.tells('listening at ');
  return cli;
}

/** Lines of JSON. */
export function parsed(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** How much memory a process has, in kilobytes. */
export function residentKilobytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
}
