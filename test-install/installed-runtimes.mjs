// The runtimes of runtimes.mjs, installed from npm into build/runtimes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packed-package.mjs';
import { runtimes } from './runtimes.mjs';

export const runtimesDirectory = join(root, 'build/runtimes');

export const title = (each) => `${each.name} ${each.architecture} ${each.libc}`;

const alias = (each) =>
  title(each)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');

export function executable(each) {
  return join(runtimesDirectory, 'node_modules', alias(each), each.executable);
}

export const isInstalled = (each) => existsSync(executable(each));

/** Installs the chosen ones, and keeps those that are there. */
export function installRuntimes(chosen) {
  const wanted = runtimes.filter((each) => chosen.includes(each) || isInstalled(each));
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(wanted.map((each) => [alias(each), each.package])),
  };
  const file = join(runtimesDirectory, 'package.json');
  const text = JSON.stringify(manifest);
  if (wanted.every(isInstalled) && existsSync(file) && readFileSync(file, 'utf8') === text) return;
  console.error(`Installing ${chosen.map(title).join(', ')}, from npm into build/runtimes …`);
  mkdirSync(runtimesDirectory, { recursive: true });
  rmSync(join(runtimesDirectory, 'package-lock.json'), { force: true });
  writeFileSync(file, text);
  // --force: they are for other processors and other C libraries, too.
  const options = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', ['install', ...options], {
    cwd: runtimesDirectory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw error ?? new Error(`npm install: exit code ${status}`);
}
