/** C programs of test/, compiled on first use. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { unsanitizedEnvironment } from './programs.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Compiles a source file, which may include headers, given relative to the project. Returns the path of the program. */
export function compiled(source: string, ...headers: readonly string[]): string {
  const directory = `${root}build/c-programs`;
  const program = `${directory}/${source.replaceAll('/', '-').replace(/\.c$/, '')}`;
  mkdirSync(directory, { recursive: true });
  const changed = Math.max(...[source, ...headers].map((file) => statSync(`${root}${file}`).mtimeMs));
  if ((statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0) > changed) return program;
  const temporary = `${program}-${process.pid}`;
  const args = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', `${root}${source}`, '-o', temporary];
  const { status, stderr } = spawnSync('sh', ['-c', 'cc "$@" && mv "$out" "$program"', 'sh', ...args], {
    encoding: 'utf8',
    env: { ...unsanitizedEnvironment(), out: temporary, program },
  });
  if (status !== 0) throw new Error(`${source}: ${stderr}`);
  return program;
}
