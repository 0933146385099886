// Builds the contents of the package; `npm pack` runs this. dist/ is rebuilt, so that it has no files of removed
// sources. It contains the output of the compiler: one readable file for each file of src/, with its comments.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './native.mjs';

rmSync(join(root, 'dist'), { recursive: true, force: true });
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['scripts/prebuild.mjs']);
