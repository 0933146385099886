// Builds the contents of the package; `npm pack` runs this. dist/ is rebuilt, so that it has no files of removed
// sources. It contains the output of the compiler, one readable file for each file of src/. To keep the package small,
// comments are only in the types, and types that no public one refers to are left out.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, run } from './native.mjs';

const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
run(process.execPath, ['scripts/build.mjs']);
run(process.execPath, ['scripts/prebuild.mjs']);

// Imported here, because the build installs it.
const { transformSync } = await import('esbuild');
const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name));

const ownScripts = files.filter((name) => name.endsWith('.js') && !name.startsWith(join(dist, 'inspector')));
for (const name of ownScripts) {
  const options = { loader: 'js', legalComments: 'none', target: 'node20' };
  writeFileSync(name, transformSync(readFileSync(name, 'utf8'), options).code);
}

/** The files of types to which the face of the package refers. */
function publicTypes() {
  const found = new Set();
  const waiting = [join(dist, 'index.d.ts'), join(dist, 'index.d.mts')];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name) || !existsSync(name)) continue;
    found.add(name);
    for (const [, path] of readFileSync(name, 'utf8').matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
      waiting.push(join(dirname(name), `${path.replace(/\.m?js$/, '')}.d.ts`));
    }
  }
  return found;
}

const kept = publicTypes();
for (const name of files.filter((each) => each.endsWith('.d.ts'))) if (!kept.has(name)) rmSync(name);

// What is left is no longer what the compiler has written: the next build compiles all of it again.
for (const stamp of ['dist/.tsbuildinfo', 'build/.typescript']) rmSync(join(root, stamp), { force: true });
