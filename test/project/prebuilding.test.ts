/** The binaries of the package are built from nothing, or what they need is named. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';

const program = fileURLToPath(new URL('../../../scripts/prebuild.mjs', import.meta.url));

function prebuild(directory: string, path = process.env['PATH']): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [program, directory], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return { status, stderr };
}

/** The packages that hold the compiler for a processor, and its C library. */
const packages =
  process.arch === 'x64'
    ? 'gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross'
    : 'gcc-x86-64-linux-gnu libc6-dev-amd64-cross gcc libc6-dev';

test('without compilers it names the Debian packages that contain them, and keeps existing binaries', () => {
  const directory = scratchDirectory();
  writeFileSync(join(directory, 'linux-x64.node'), 'built before');
  const { status, stderr } = prebuild(directory, scratchDirectory());
  assert.equal(status, 1);
  assert.match(stderr, /aarch64-linux-gnu-gcc is missing/);
  assert.ok(stderr.includes(`apt-get install ${packages} binutils\n`), stderr);
  assert.deepEqual(readdirSync(directory), ['linux-x64.node']);
});

test('a compiler without the headers of its C library is missing, too', () => {
  const bin = scratchDirectory();
  for (const name of ['aarch64-linux-gnu-gcc', 'x86_64-linux-gnu-gcc'])
    symlinkSync('/bin/false', join(bin, name));
  const { status, stderr } = prebuild(scratchDirectory(), bin);
  assert.equal(status, 1);
  assert.match(stderr, /libc6-dev-\w+-cross/);
});

test('binaries from an earlier time are removed', { skip: missing('aarch64-linux-gnu-gcc') }, () => {
  const directory = join(scratchDirectory(), 'prebuilds');
  mkdirSync(directory);
  writeFileSync(join(directory, 'linux-riscv64.node'), 'built before');
  writeFileSync(join(directory, 'notes'), 'no binary');
  assert.deepEqual(prebuild(directory).status, 0);
  assert.deepEqual(readdirSync(directory).sort(), ['linux-arm64.node', 'linux-x64.node', 'notes']);
});
