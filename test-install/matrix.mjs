// Runs the tests on every runtime of runtimes.mjs, or on those whose name, processor or C library is asked for:
//
//   node test-install/matrix.mjs [--ci] [word …]
//
// Runtimes come from npm. Needs qemu-user-static, libstdc++6-arm64-cross and musl (Debian).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreProject, pack, root } from './packed-package.mjs';
import { runtimes } from './runtimes.mjs';

const words = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const chosen = runtimes.filter((each) => {
  if (process.argv.includes('--ci') && !each.ci) return false;
  return words.every((word) => `${each.name} ${each.architecture} ${each.libc}`.includes(word));
});
const title = (each) => `${each.name} ${each.architecture} ${each.libc}`;
const alias = (each) =>
  title(each)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
const place = join(root, 'build/runtimes');

function installRuntimes() {
  const wanted = runtimes.filter((each) => chosen.includes(each) || existsSync(executable(each)));
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(wanted.map((each) => [alias(each), each.package])),
  };
  const file = join(place, 'package.json');
  const text = JSON.stringify(manifest);
  const isComplete = wanted.every((each) => existsSync(executable(each)));
  if (isComplete && existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(place, { recursive: true });
  rmSync(join(place, 'package-lock.json'), { force: true });
  writeFileSync(file, text);
  // --force: they are for other processors and other C libraries, too.
  const options = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  check(spawnSync('npm', ['install', ...options], { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] }));
}

function check({ status, error }) {
  if (status !== 0) throw error ?? new Error(`exit code ${status}`);
}

function executable(each) {
  return join(place, 'node_modules', alias(each), each.executable);
}

/**
 * Debian has musl, but no libstdc++ made for it, which Bun needs. The one made for glibc does, with the few
 * functions that musl lacks.
 */
function muslLibraries() {
  const directory = join(place, 'musl');
  mkdirSync(directory, { recursive: true });
  const shim = join(directory, 'libshim.so');
  check(
    spawnSync('cc', ['-shared', '-fPIC', '-nostdlib', '-O2', 'test-install/musl-shim.c', '-o', shim], {
      cwd: root,
    }),
  );
  const links = { 'ld-linux-x86-64.so.2': shim };
  for (const name of ['libstdc++.so.6', 'libgcc_s.so.1']) {
    links[name] = spawnSync('cc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  }
  for (const [name, target] of Object.entries(links)) {
    rmSync(join(directory, name), { force: true });
    symlinkSync(target, join(directory, name));
  }
  return ['env', `LD_LIBRARY_PATH=${directory}`, `LD_PRELOAD=${shim}`, '/lib/ld-musl-x86_64.so.1'];
}

function command(each) {
  const loader = each.needsMusl ? muslLibraries() : (each.loader ?? []);
  return [...loader, executable(each), ...(each.flags ?? [])];
}

function runCore(each, project) {
  const [program, ...args] = command(each);
  const { status } = spawnSync(program, [...args, 'core.mjs'], {
    cwd: project,
    stdio: 'inherit',
    timeout: 900_000,
    env: { ...process.env, RUNTIME_COMMAND: JSON.stringify([program, ...args]) },
  });
  return status === 0;
}

function runAll(each) {
  const node = executable(each);
  const { status } = spawnSync(node, ['scripts/test.mjs'], { cwd: root, stdio: 'inherit' });
  return status === 0;
}

installRuntimes();
pack();
const project = coreProject();
const results = [];
for (const each of chosen) {
  console.log(`\n=== ${title(each)}: the core tests, with the package`);
  let passed = runCore(each, project);
  results.push([`${title(each)}, core tests`, passed]);
  if (each.tests !== 'all') continue;
  console.log(`\n=== ${title(each)}: every test`);
  check(spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' }));
  passed = runAll(each);
  results.push([`${title(each)}, every test`, passed]);
}

console.log();
for (const [name, passed] of results) console.log(`${passed ? 'ok  ' : 'FAIL'} ${name}`);
const failed = results.filter(([, passed]) => !passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
