// Packs, and runs the tests of installation on what was packed.
//
//   node test-install/install.mjs [word of a file name …]
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { installRuntimes } from './installed-runtimes.mjs';
import { pack, root } from './packed-package.mjs';
import { runtimes } from './runtimes.mjs';

// Elsewhere those are used that the matrix has installed.
if (process.env.CI !== undefined) installRuntimes(runtimes.filter((each) => each.quickStart));
pack();
const words = process.argv.slice(2);
const files = readdirSync(`${root}/test-install`)
  .filter((name) => name.endsWith('.test.mjs'))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .map((name) => `test-install/${name}`);
const options = ['--test', '--test-reporter=spec', '--test-concurrency=1', '--test-timeout=300000'];
const { status } = spawnSync(process.execPath, [...options, ...files], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
