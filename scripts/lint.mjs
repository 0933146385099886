// Biome on the whole project, and dependency-cruiser on the imports of src/ and cli/. `--write` formats, and applies
// safe fixes.
import { join } from 'node:path';
import { installTools } from './dependencies.mjs';
import { root, run } from './native.mjs';

await installTools();
run(join(root, 'tools/node_modules/.bin/biome'), [
  'check',
  '--error-on-warnings',
  ...process.argv.slice(2),
  '.',
]);
run(join(root, 'tools/node_modules/.bin/depcruise'), [
  '--config',
  'tools/dependency-rules.cjs',
  'src',
  'cli',
]);
