// Biome on the whole project. `--write` formats, and mends what can be mended.
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
