// Compiles the C layer, with nothing but a C compiler. Headers: node-api-headers for Node-API, and
// native/libuv-poll.h for the few functions of libuv.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export const sources = ['addon', 'owned', 'poll', 'spill', 'system-calls'].map((name) => `native/${name}.c`);
export const headers = ['native/addon.h', 'native/libuv-poll.h'];

export const compilerFlags = [
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-fPIC',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Inode_modules/node-api-headers/include',
];

/** How the addon is built: for use, or with the compiler's run-time checks. */
export const variants = {
  release: ['-O2'],
  sanitized: ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
};

export function compiler() {
  return process.env.CC ?? 'cc';
}

export function compile(variant, target = 'build/seqpacket.node') {
  const temporary = `${target}.${process.pid}`;
  mkdirSync(`${root}/${dirname(target)}`, { recursive: true });
  run(compiler(), [...compilerFlags, ...variants[variant], '-shared', ...sources, '-o', temporary]);
  renameSync(`${root}/${temporary}`, `${root}/${target}`);
}

/** Runs a program in the project's root; if it fails, what it printed is all there is to say. */
export function run(program, args, options = {}) {
  const { status, signal, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (status === 0) return;
  console.error(`${program} ${error?.message ?? `failed (${signal ?? status})`}`);
  process.exit(1);
}
