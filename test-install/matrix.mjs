// Runs the tests on every runtime of runtimes.mjs, or on those whose name, processor or C library is asked for:
//
//   node test-install/matrix.mjs [--ci] [word …]
//
// Runtimes come from npm. Needs qemu-user-static, libstdc++6-arm64-cross and musl (Debian).
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { executable, installRuntimes, runtimesDirectory, title } from './installed-runtimes.mjs';
import { coreProject, pack, root } from './packed-package.mjs';
import { runtimes } from './runtimes.mjs';

const words = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const chosen = runtimes.filter((each) => {
  if (process.argv.includes('--ci') && !each.ci) return false;
  return words.every((word) => `${each.name} ${each.architecture} ${each.libc}`.includes(word));
});
const muslPlace = join(runtimesDirectory, 'musl');

function check({ status, error }) {
  if (status !== 0) throw error ?? new Error(`exit code ${status}`);
}

/**
 * Debian has musl, but no libstdc++ made for it, which Bun needs. The one made for glibc does, with the few
 * functions that musl lacks.
 */
function muslLibraries() {
  mkdirSync(muslPlace, { recursive: true });
  const shim = join(muslPlace, 'libshim.so');
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
    rmSync(join(muslPlace, name), { force: true });
    symlinkSync(target, join(muslPlace, name));
  }
  return ['env', `LD_LIBRARY_PATH=${muslPlace}`, `LD_PRELOAD=${shim}`, '/lib/ld-musl-x86_64.so.1'];
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
  const { status } = spawnSync(node, ['scripts/test.mjs', '--all'], { cwd: root, stdio: 'inherit' });
  return status === 0;
}

installRuntimes(chosen);
pack();
const project = coreProject();
const results = [];
for (const each of chosen) {
  console.log(`\n=== ${title(each)}: the core tests, with the package`);
  let passed = runCore(each, project);
  results.push([`${title(each)}, core tests`, passed]);
  if (each.tests !== 'all') continue;
  // Those are the steps "tests" and "slow".
  if (process.argv.includes('--ci') && each.package.endsWith(`-x64@${process.versions.node}`)) {
    console.log(`\n${title(each)} is the version that runs this: every test in other steps`);
    continue;
  }
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
