// Compiles the C layer. Needs only a C compiler and the headers of Node-API: those of the package
// node-api-headers, or those of this Node.js. The few functions of libuv are declared in native/libuv.h.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const files = (extension) =>
  readdirSync(join(root, 'native'))
    .filter((name) => name.endsWith(extension) && name !== 'libuv-abi.c')
    .map((name) => `native/${name}`);
export const sources = files('.c');
export const headers = files('.h');

export const compilerFlags = ['-std=gnu11', '-D_GNU_SOURCE', '-fPIC', '-fvisibility=hidden', '-pthread'];

export const warnings = ['-Wall', '-Wextra', '-Werror'];

/** The kinds of builds: for use, or with the compiler's run-time checks. */
export const variants = {
  release: ['-O2'],
  sanitized: ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
};

/** The directory of node_api.h, or undefined. */
export function nodeApiHeaders() {
  const places = [];
  try {
    places.push(dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h')));
  } catch {
    // It is not installed.
  }
  if (process.env.npm_config_nodedir) places.push(join(process.env.npm_config_nodedir, 'include/node'));
  places.push(resolve(realpathSync(process.execPath), '../../include/node'));
  return places.find((place) => existsSync(join(place, 'node_api.h')));
}

/** The environment of a process that loads the sanitized addon. */
export function sanitizerEnvironment() {
  const library = (name) => {
    const { stdout } = spawnSync(compiler(), [`-print-file-name=${name}`], { encoding: 'utf8' });
    return stdout.trim();
  };
  return {
    LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    SEQPACKET_SANITIZED: '1',
  };
}

export function compiler() {
  return process.env.CC ?? 'cc';
}

/** Compiles and links the addon. The target is replaced atomically, because other processes may load it. */
export function compile(flags, target = 'build/seqpacket.node', withCompiler = compiler()) {
  const temporary = `${target}.${process.pid}`;
  mkdirSync(resolve(root, dirname(target)), { recursive: true });
  const all = [...compilerFlags, `-I${nodeApiHeaders()}`, '-shared', ...sources, ...flags];
  run(withCompiler, [...all, '-o', temporary]);
  renameSync(resolve(root, temporary), resolve(root, target));
}

/** Runs a program in the root of the project. Its output is the report of a failure. */
export function run(program, args, options = {}) {
  const { status, signal, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (status === 0) return;
  console.error(`${program} ${error?.message ?? `failed (${signal ?? status})`}`);
  process.exit(1);
}
