// Makes what the package carries: `npm pack` runs this. dist/ is made anew, so that nothing is packed whose source is
// gone. What is packed is what the compiler writes: one readable file for each of src/, with its comments.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './native.mjs';

rmSync(join(root, 'dist'), { recursive: true, force: true });
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['scripts/prebuild.mjs']);
