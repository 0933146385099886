// Test runners and bundlers: a working program, or a clear message.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { project } from './packed-package.mjs';
import { esm } from './talking-program.mjs';

const tools = {
  esbuild: '0.28.2',
  jest: '30.5.2',
  rollup: '4.68.7',
  '@rollup/plugin-commonjs': '29.0.0',
  '@rollup/plugin-node-resolve': '16.0.3',
  vitest: '4.1.12',
  webpack: '5.112.2',
};

let place;

before(() => {
  place = project({ 'program.mjs': esm });
  const versions = Object.entries(tools).map(([name, version]) => `${name}@${version}`);
  execFileSync(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...versions],
    {
      cwd: place,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
});

function run(program, ...args) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: place, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function succeeds(program, ...args) {
  const { status, stdout, stderr } = run(program, ...args);
  assert.equal(status, 0, stdout + stderr);
  return stdout + stderr;
}

const prints = (file) => run('node', file).stdout;

/** What a bundle does without the binary beside it. */
function saysWhatIsMissing(file) {
  const { status, stderr } = run('node', file);
  assert.notEqual(status, 0);
  assert.match(stderr, /seqpacket cannot load its binary: [\s\S]*keep seqpacket external/);
}

/** Moves a bundle to a place of its own: nothing of the project is near. */
function elsewhere(name, binaries) {
  const to = project({}, {}, () => undefined);
  cpSync(join(place, name), join(to, 'bundle.cjs'));
  if (binaries)
    cpSync(join(place, 'node_modules/seqpacket/prebuilds'), join(to, 'prebuilds'), { recursive: true });
  return join(to, 'bundle.cjs');
}

test('vitest', () => {
  const file = `
    import { expect, test } from 'vitest';
    import { pair } from 'seqpacket';
    test('talks', async () => {
      const [a, b] = pair();
      const received = b.receiveMessage();
      setTimeout(() => a.send(Buffer.from('x')), 5);
      expect(String((await received).data)).toBe('x');
      a.close();
      b.close();
    });
  `;
  for (const name of ['one', 'two']) writeFileSync(join(place, `${name}.test.mjs`), file);
  for (const pool of ['forks', 'threads']) {
    const output = succeeds('node', 'node_modules/vitest/vitest.mjs', 'run', `--pool=${pool}`, '--no-color');
    assert.match(output, /Tests +2 passed/);
  }
});

test('jest, with several files in one process', () => {
  const file = `
    const { pair, FileDescriptor } = require('seqpacket');
    test('talks', async () => {
      const [a, b] = pair();
      const received = b.receiveMessage({ maxFds: 1 });
      setTimeout(() => a.sendWithFds(Buffer.from('x'), [0]), 5);
      const { data, fds } = await received;
      expect(String(data)).toBe('x');
      expect(fds[0]).toBeInstanceOf(FileDescriptor);
      for (const each of [a, b, ...fds]) each.close();
    });
    test('fails as it should', async () => {
      const [a, b] = pair();
      const received = b.receiveMessage();
      b.close();
      await expect(received).rejects.toMatchObject({ code: 'ECANCELED' });
      a.close();
    });
    test('works beside the copy of before, after jest.resetModules()', async () => {
      jest.resetModules();
      const again = require('seqpacket');
      expect(again.FileDescriptor).not.toBe(FileDescriptor);
      for (const copy of [again, { pair, FileDescriptor }, again]) {
        const [a, b] = copy.pair();
        const received = b.receiveMessage({ maxFds: 1 });
        setTimeout(() => a.sendWithFds(Buffer.from('x'), [0]), 5);
        const { fds } = await received;
        expect(fds).toHaveLength(1);
        for (const each of [a, b, ...fds]) each.close();
      }
    });
  `;
  for (const name of ['one', 'two']) writeFileSync(join(place, `${name}.spec.cjs`), file);
  const output = succeeds(
    'node',
    'node_modules/jest/bin/jest.js',
    '--runInBand',
    '--testMatch',
    '**/*.spec.cjs',
  );
  assert.match(output, /Tests: +6 passed/);
});

const esbuild = (...args) =>
  succeeds('node', 'node_modules/esbuild/bin/esbuild', 'program.mjs', '--bundle', '--platform=node', ...args);

test('esbuild: with the package left outside', () => {
  esbuild('--external:seqpacket', '--format=esm', '--outfile=out/external.mjs');
  assert.equal(prints('out/external.mjs'), 'it works\n');
});

test('esbuild: all in one file, with the binaries beside it', () => {
  esbuild('--format=cjs', '--outfile=out/bundle.cjs');
  assert.equal(prints(elsewhere('out/bundle.cjs', true)), 'it works\n');
  saysWhatIsMissing(elsewhere('out/bundle.cjs', false));
});

test('rollup: with the package left outside', () => {
  succeeds(
    'node',
    'node_modules/rollup/dist/bin/rollup',
    'program.mjs',
    '--external',
    'seqpacket',
    '--format',
    'es',
    '--file',
    'out/rollup.mjs',
  );
  assert.equal(prints('out/rollup.mjs'), 'it works\n');
});

test('rollup: all in one file, with the binaries beside it', () => {
  const plugins = ['--plugin', '@rollup/plugin-node-resolve', '--plugin', '@rollup/plugin-commonjs'];
  const rollup = (...args) =>
    succeeds('node', 'node_modules/rollup/dist/bin/rollup', 'program.mjs', ...plugins, ...args);
  rollup('--format', 'cjs', '--file', 'out/rollup.cjs');
  assert.equal(prints(elsewhere('out/rollup.cjs', true)), 'it works\n');
  saysWhatIsMissing(elsewhere('out/rollup.cjs', false));
  rollup('--format', 'es', '--file', 'out/rollup-all.mjs');
  saysWhatIsMissing('out/rollup-all.mjs');
});

test('webpack: all in one file, with the binaries beside it', () => {
  const build = `
    const webpack = require('webpack');
    const configuration = { mode: 'production', target: 'node', entry: './program.mjs', output: { path: __dirname + '/out', filename: 'webpack.cjs' } };
    webpack(configuration, (error, stats) => {
      if (error || stats.hasErrors() || stats.hasWarnings()) throw error ?? new Error(stats.toString());
    });
  `;
  writeFileSync(join(place, 'webpack.build.cjs'), build);
  succeeds('node', 'webpack.build.cjs');
  assert.equal(prints(elsewhere('out/webpack.cjs', true)), 'it works\n');
  saysWhatIsMissing(elsewhere('out/webpack.cjs', false));
});
