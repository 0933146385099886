// The package as npm packs it, and fresh projects that have it installed.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const directory = join(root, 'build/packed');

/** A directory that is removed when this process ends. */
export function temporaryDirectory() {
  const place = mkdtempSync(join(tmpdir(), 'seqpacket-install-'));
  process.on('exit', () => rmSync(place, { recursive: true, force: true }));
  return place;
}

/** Packs; the path of the tarball. */
export function pack() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  execFileSync('npm', ['pack', '--loglevel=error', '--pack-destination', directory], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return tarball();
}

/** The tarball that was packed last. */
export function tarball() {
  if (!existsSync(directory)) return pack();
  return join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.tgz')),
  );
}

/** Where programs are that a fresh machine has, but no compiler. */
export function pathWithoutCompiler() {
  const bin = join(temporaryDirectory(), 'bin');
  mkdirSync(bin);
  for (const program of [
    'sh',
    'env',
    'node',
    'npm',
    'npx',
    'ls',
    'cat',
    'uname',
    'dirname',
    'sed',
    'basename',
  ]) {
    const place = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    writeFileSync(join(bin, program), `#!/bin/sh\nexec ${place} "$@"\n`, { mode: 0o755 });
  }
  return bin;
}

/** A project with these files, and with the package installed: no scripts run, no compiler there. */
export function project(files = {}, manifest = {}, install = npmInstall) {
  const place = temporaryDirectory();
  writeFileSync(join(place, 'package.json'), JSON.stringify({ private: true, ...manifest }));
  install(place);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  return place;
}

function npmInstall(place) {
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', ...options, tarball()], {
    cwd: place,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: pathWithoutCompiler(), CC: '/nonexistent' },
  });
}

/** A project that can run the core tests. */
export function coreProject() {
  const place = project();
  for (const name of ['core.mjs', 'worker.mjs'])
    copyFileSync(join(root, 'test-install', name), join(place, name));
  return place;
}
