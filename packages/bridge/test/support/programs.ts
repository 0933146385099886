/** Programs that the tests need, and processes that end with their test. */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** `false`, or why a test is skipped: a program is missing. */
export function missing(...programs: string[]): string | false {
  const absent = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  return absent.length === 0 ? false : `not installed: ${absent.join(', ')}`;
}

/** A program in the directory of the support files, as source. */
export function supportFile(name: string): string {
  return fileURLToPath(new URL(`../../../packages/bridge/test/support/${name}`, import.meta.url));
}

export function scratchDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'seqpacket-bridge-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }>;
  stdout = '';
  stderr = '';
  isOver = false;

  constructor(t: TestContext, program: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.isOver = true;
      return { code: signal ?? code, stdout: this.stdout, stderr: this.stderr };
    });
    t.after(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  /** Waits until its output contains the text, and returns its standard output. */
  async prints(text: string | RegExp): Promise<string> {
    const isThere = () => {
      const all = this.stdout + this.stderr;
      return typeof text === 'string' ? all.includes(text) : text.test(all);
    };
    while (!isThere()) {
      if (this.isOver) assert.fail(`It ended without ${text}:\n${this.stdout}\n${this.stderr}`);
      await pause(5);
    }
    return this.stdout;
  }

  /** Waits until it has ended without an error, and returns its standard output. */
  async done(): Promise<string> {
    const { code, stdout, stderr } = await this.ended;
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  }

  get residentKilobytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
