// Runs the tests of the library, and reports the coverage of src/:
//
//   node scripts/coverage.mjs [name …]
//
// The names are those of scripts/test.mjs. Processes and workers of the tests are counted, too, unless they are
// killed. coverage/index.html shows each line. The tests of the command, of the benchmark and of the documentation
// are left out: they start so many processes that counting takes longer than testing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { installTools } from './dependencies.mjs';
import { root, run } from './native.mjs';

await installTools();
run(process.execPath, ['scripts/build.mjs', '--source-maps']);
rmSync(join(root, 'coverage'), { recursive: true, force: true });
const counts = join(root, 'build/coverage');
run(join(root, 'tools/node_modules/.bin/c8'), [
  ...['--all', '--src', 'src', '--include', 'src/**', '--exclude-after-remap', '--merge-async'],
  ...['--temp-directory', counts],
  ...['--reporter', 'text', '--reporter', 'text-summary', '--reporter', 'html'],
  ...[process.execPath, 'scripts/test.mjs', '--library', ...process.argv.slice(2)],
]);
rmSync(counts, { recursive: true });
