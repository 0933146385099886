// Builds and tests after each change of a source file, until it is stopped:
//
//   node scripts/watch.mjs [name …]
//
// The names are those of scripts/test.mjs.
import { join } from 'node:path';
import { installTools } from './dependencies.mjs';
import { root, run } from './native.mjs';

await installTools();
const directories = ['src', 'native', 'cli', 'test', 'examples', 'demo'];
const names = process.argv.slice(2).map((name) => `'${name.replaceAll("'", "'\\''")}'`);
run(join(root, 'tools/node_modules/.bin/nodemon'), [
  ...directories.flatMap((directory) => ['--watch', directory]),
  ...['--ext', 'ts,tsx,mts,c,h,json,html,css,svg', '--delay', '200ms', '--signal', 'SIGTERM'],
  ...['--exec', `node scripts/build.mjs && node scripts/test.mjs ${names.join(' ')}`],
]);
