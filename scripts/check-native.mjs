// Static checks of the C layer: the compiler's analyzer, cppcheck, clang-format, and a comparison of
// native/libuv.h with the uv.h of this Node.js, if it exists.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compilerFlags, headers, nodeApiHeaders, root, run, sources, warnings } from './native.mjs';

const flags = [...compilerFlags, ...warnings, `-I${nodeApiHeaders()}`];

const limit = readdirSync(join(root, 'bench/c')).map((name) => `bench/c/${name}`);
run('clang-format', ['--dry-run', '--Werror', ...sources, ...headers, 'native/libuv-abi.c', ...limit]);

for (const source of sources) {
  run('gcc', [...flags, '-O2', '-fanalyzer', '-c', source, '-o', '/dev/null']);
}

run('cppcheck', [
  '--enable=warning,style,performance,portability',
  '--inline-suppr',
  '--error-exitcode=1',
  '--quiet',
  '--std=c11',
  '--suppress=missingIncludeSystem',
  '--suppress=unusedStructMember',
  ...sources,
]);

const include = join(process.execPath, '../../include/node');
if (existsSync(join(include, 'uv.h'))) {
  run('gcc', [...flags, `-I${include}`, '-fsyntax-only', 'native/libuv-abi.c']);
} else {
  console.log(`SKIP: no uv.h beside ${process.execPath}: native/libuv.h was not compared`);
}
console.log(`native: no findings`);
