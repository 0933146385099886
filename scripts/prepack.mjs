// Makes what the package carries, and nothing that it does not need: `npm pack` runs this.
//
// dist/ is changed in place. Programs lose their comments, which are in the types, and their white space; they
// keep their names, for stack traces. Types go that nobody outside can name. The compiler's memory of dist/
// goes too, so that the next build makes it anew.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './native.mjs';

run(process.execPath, ['scripts/build.mjs', '--quiet']);
run(process.execPath, ['scripts/prebuild.mjs']);

const dist = join(root, 'dist');
rmSync(join(dist, '.tsbuildinfo'), { force: true });

// TypeScript keeps all comments or none.
const { transformSync } = await import('esbuild');
for (const name of readdirSync(dist).filter((each) => /^(?!cli\.).*\.js$/.test(each))) {
  const file = join(dist, name);
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    target: 'node20',
    minifyIdentifiers: true,
    minifySyntax: true,
    minifyWhitespace: true,
  });
  writeFileSync(file, code);
}

const types = new Set();
function keepTypes(name) {
  if (types.has(name)) return;
  types.add(name);
  const text = readFileSync(join(dist, name), 'utf8');
  for (const [, module] of text.matchAll(/(?:from |import\()["']\.\/([\w-]+)(?:\.js)?["']/g)) {
    keepTypes(`${module}.d.ts`);
  }
}
keepTypes('index.d.mts');
for (const name of readdirSync(dist)) {
  if (/\.d\.m?ts$/.test(name) && !types.has(name)) rmSync(join(dist, name));
}
