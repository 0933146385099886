// What is in the package, and what is not.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { before, test } from 'node:test';
import { headers, sources } from '../scripts/native.mjs';
import { complaintsAbout } from '../scripts/portable-binary.mjs';
import { root, tarball, temporaryDirectory } from './packed-package.mjs';

const LARGEST_BYTES = 250_000;
let directory;
let files;

before(() => {
  const place = temporaryDirectory();
  execFileSync('tar', ['-xzf', tarball(), '-C', place]);
  directory = join(place, 'package');
  files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => relative(directory, join(each.parentPath ?? each.path, each.name)));
});

test('it is small', (t) => {
  const { size } = statSync(tarball());
  t.diagnostic(`${size} bytes`);
  assert.ok(size < LARGEST_BYTES, `${size} bytes`);
});

test('it holds what it needs, and nothing else', () => {
  const expected =
    /^(dist\/(([\w-]+\/)?[\w-]+\.(js|d\.ts)|index\.mjs|index\.d\.mts|cli\.mjs|package\.json|inspector\/(index\.html|page\.css|icon\.svg))|prebuilds\/linux-(x64|arm64)\.node|man\/seqpacket\.1|scripts\/(native|build-native)\.mjs|package\.json|README\.md|LICENSE)$/;
  const native = [...sources, ...headers];
  assert.deepEqual(
    files.filter((name) => !expected.test(name) && !native.includes(name)),
    [],
  );
  const needed = ['dist/index.js', 'prebuilds/linux-x64.node', 'prebuilds/linux-arm64.node', 'LICENSE'];
  for (const name of [...needed, ...native]) assert.ok(files.includes(name), name);
  const modules = (place, ending) =>
    readdirSync(place, { recursive: true })
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length))
      .sort();
  // Each file of src/ is one of the package, and none is left over from a file that is gone.
  const own = modules(join(directory, 'dist'), '.js').filter((name) => !name.startsWith('inspector/'));
  assert.deepEqual(own, modules(join(root, 'src'), '.ts'));
});

test('the code of the library can be read', () => {
  for (const name of files.filter((each) => /^dist\/(?!inspector\/|cli\.).*\.m?js$/.test(each))) {
    // The compiler names all exports in one line: nothing is thrown there.
    const lines = readFileSync(join(directory, name), 'utf8')
      .split('\n')
      .filter((line) => !/^(exports\.\w+ = )+void 0/.test(line));
    const longest = Math.max(...lines.map((line) => line.length));
    assert.ok(longest < 1000, `${name} has a line of ${longest} characters`);
  }
});

test('nothing runs when it is installed, and nothing else is installed', () => {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) {
    assert.equal(manifest.scripts[name], undefined, name);
  }
  assert.equal(files.includes('binding.gyp'), false);
  assert.equal(manifest.gypfile, false);
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies', 'bundledDependencies']) {
    assert.equal(manifest[kind], undefined, kind);
  }
  assert.equal(manifest.sideEffects, false);
});

test('nothing in it mentions the place where it was made, or sources that are not there', () => {
  for (const name of files) {
    const text = readFileSync(join(directory, name), 'latin1');
    for (const mention of [root, 'sourceMappingURL', '../src/', '/home/', '/root/', 'build/src']) {
      assert.equal(text.includes(mention), false, `${name} mentions ${mention}`);
    }
  }
});

test('every file that it imports is there', () => {
  for (const name of files.filter((each) => /\.(m?js|d\.m?ts)$/.test(each))) {
    const text = readFileSync(join(directory, name), 'utf8');
    for (const [, specifier] of text.matchAll(
      /(?:from|require\(|import\(|import)\s*["'](\.\.?\/[^"']*)["']/g,
    )) {
      const target = join(name, '..', specifier);
      const ending = name.includes('.d.') ? '.d.ts' : '.js';
      assert.ok(files.includes(target) || files.includes(target + ending), `${name}: ${specifier}`);
    }
  }
});

test('its binaries run with glibc and musl alike', () => {
  for (const name of files.filter((each) => each.endsWith('.node'))) {
    assert.deepEqual(complaintsAbout(join(directory, name)), [], name);
  }
});

function lint(...command) {
  const { status, stdout, stderr } = spawnSync('npx', ['--yes', ...command], {
    encoding: 'utf8',
    cwd: tmpdir(),
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test('publint has nothing to say', () => {
  assert.match(lint('publint@0.3.25', '--strict', tarball()), /All good/);
});

test('types are found whoever looks for them', () => {
  lint('@arethetypeswrong/cli@0.18.5', '--no-emoji', tarball());
});

test('binaries are the same bytes wherever they are built', () => {
  const elsewhere = temporaryDirectory();
  for (const part of ['native', 'scripts', 'node_modules/node-api-headers']) {
    cpSync(join(root, part), join(elsewhere, 'copy of it', part), { recursive: true });
  }
  const build = (from, to) =>
    execFileSync(process.execPath, [join(from, 'scripts/prebuild.mjs'), join(elsewhere, to)], {
      stdio: 'pipe',
    });
  build(root, 'a');
  build(join(elsewhere, 'copy of it'), 'b');
  execFileSync('diff', ['-r', join(elsewhere, 'a'), join(elsewhere, 'b')]);
});
