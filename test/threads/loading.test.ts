/** The binary is found, or the first call reports the cause and the remedy. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What the first call says: its code and its message. */
function firstCall(directory: string, prologue = '', options: string[] = []): string {
  const script = `
    ${prologue}
    const { pair } = require(${JSON.stringify(join(directory, 'dist/index.js'))});
    console.log('imported');
    try { pair(); console.log('works'); } catch (error) { console.log(error.code, error.message); }
  `;
  const { stdout, stderr } = spawnSync(process.execPath, [...options, '-e', script], { encoding: 'utf8' });
  assert.match(stdout, /^imported\n/, stderr);
  return stdout.slice('imported\n'.length);
}

/** The library without any binary. */
function copyWithoutBinary(): string {
  const directory = scratchDirectory();
  cpSync(`${root}dist`, `${directory}/dist`, { recursive: true });
  cpSync(`${root}package.json`, `${directory}/package.json`);
  return directory;
}

test('importing works on other systems, and the first call names the unsupported system', () => {
  const said = firstCall(root, `Object.defineProperty(process, 'platform', { value: 'darwin' });`);
  assert.match(said, /^ERR_FEATURE_UNAVAILABLE_ON_PLATFORM seqpacket works on Linux only, not on darwin/);
});

test('importing works on other processors, and the first call names the unsupported processor', () => {
  const said = firstCall(root, `Object.defineProperty(process, 'arch', { value: 'riscv64' });`);
  assert.match(said, /^ERR_FEATURE_UNAVAILABLE_ON_PLATFORM .* x64 and arm64, not on riscv64/);
});

test('without a binary the first call names the tried paths and the command to build one', () => {
  const directory = copyWithoutBinary();
  const said = firstCall(directory);
  assert.match(said, /^ERR_DLOPEN_FAILED seqpacket cannot load its binary: no such file: /);
  assert.ok(said.includes(`${directory}/build/seqpacket.node, `), said);
  assert.ok(said.includes(`${directory}/prebuilds/linux-${process.arch}.node`), said);
  assert.ok(said.includes('node node_modules/seqpacket/scripts/build-native.mjs'), said);
});

test('a binary for another machine is no reason to crash', () => {
  const directory = copyWithoutBinary();
  mkdirSync(`${directory}/prebuilds`);
  writeFileSync(`${directory}/prebuilds/linux-${process.arch}.node`, 'no ELF file');
  const said = firstCall(directory);
  assert.match(said, /^ERR_DLOPEN_FAILED .*linux-\w+\.node: .*\nBuild it for this machine/);
});

for (const [whose, manifest] of [
  ['of another package', { name: 'somebody-else' }],
  ['of no package', undefined],
] as const) {
  test(`a build directory ${whose} is left alone`, () => {
    const directory = copyWithoutBinary();
    rmSync(`${directory}/package.json`);
    if (manifest !== undefined) writeFileSync(`${directory}/package.json`, JSON.stringify(manifest));
    mkdirSync(`${directory}/build`);
    cpSync(`${root}build/seqpacket.node`, `${directory}/build/seqpacket.node`);
    const said = firstCall(directory);
    assert.match(said, /^ERR_DLOPEN_FAILED /);
    assert.ok(!said.includes('build/seqpacket.node'), said);
    assert.ok(said.includes(`${directory}/prebuilds/linux-${process.arch}.node`), said);
  });
}

test('where addons are forbidden the first call names the flag that allows them', () => {
  assert.match(firstCall(root, '', ['--no-addons']), /^ERR_DLOPEN_FAILED [\s\S]*--allow-addons/);
});

test('a binary that is not portable is detected', { skip: missing('readelf') }, async () => {
  const checker = `${root}scripts/portable-binary.mjs`;
  const { complaintsAbout } = (await import(checker)) as { complaintsAbout(file: string): string[] };
  const complaints = complaintsAbout(`${root}build/seqpacket.node`);
  assert.ok(complaints.includes('needs libc.so.6'), complaints.join('\n'));
  assert.ok(
    complaints.some((each) => /^needs the version of \w+@GLIBC/.test(each)),
    complaints.join('\n'),
  );
});

test('a binary is built from source in an installed package', () => {
  const directory = copyWithoutBinary();
  for (const part of ['native', 'scripts']) cpSync(root + part, `${directory}/${part}`, { recursive: true });
  cpSync(`${root}node_modules/node-api-headers`, `${directory}/node_modules/node-api-headers`, {
    recursive: true,
  });
  execFileSync(process.execPath, [`${directory}/scripts/build-native.mjs`], { stdio: 'pipe', cwd: '/' });
  assert.equal(firstCall(directory), 'works\n');
  rmSync(`${directory}/build`, { recursive: true });
  assert.match(firstCall(directory), /^ERR_DLOPEN_FAILED/);
});
