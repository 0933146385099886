/** Dependencies are the same everywhere, and are installed once. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (...names: string[]) => JSON.parse(readFileSync(join(root, ...names), 'utf8'));

for (const place of ['.', 'docs', 'tools']) {
  test(`${place}: every version is exact`, () => {
    const { dependencies, devDependencies } = read(place, 'package.json');
    assert.equal(dependencies, undefined, 'the package has no dependencies, and the others have tools');
    for (const [name, version] of Object.entries(devDependencies)) {
      assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
    }
  });

  test(`${place}: the lock file is that of the manifest, and names no registry`, () => {
    const { devDependencies } = read(place, 'package.json');
    const { packages } = read(place, 'package-lock.json');
    assert.deepEqual(packages[''].devDependencies, devDependencies);
    for (const [name, { resolved, link }] of Object.entries<{ resolved?: string; link?: boolean }>(
      packages,
    )) {
      // The packages of this repository are links.
      if (!link) assert.equal(resolved, undefined, name);
    }
  });
}

test('packages for the site, the linter or coverage are not installed with the rest', () => {
  const packages = Object.keys(read('package-lock.json').packages);
  for (const name of ['vitepress', 'typedoc', '@biomejs/biome', 'c8', 'rollup']) {
    assert.ok(!packages.includes(`node_modules/${name}`), name);
  }
});

test('a step is done once, and again if its inputs change or its outputs are gone', () => {
  const directory = join(root, `build/step-${process.pid}`);
  mkdirSync(directory);
  after(() => rmSync(directory, { recursive: true, force: true }));
  const done = (input: string) => {
    const options = { stamp: relative(root, `${directory}/stamp`), inputs: [input] };
    const program = `
      import { step } from ${JSON.stringify(`${root}scripts/step.mjs`)};
      const options = ${JSON.stringify({ ...options, outputs: [relative(root, `${directory}/output`)] })};
      await step('Working', options, () => console.log('worked'));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    return stdout + stderr;
  };
  const worked = 'worked\nWorking …\n';
  writeFileSync(`${directory}/output`, '');
  assert.equal(done('a'), worked);
  assert.equal(done('a'), '');
  assert.equal(done('b'), worked);
  rmSync(`${directory}/output`);
  assert.equal(done('b'), worked);
});
