// Makes what the package carries, and nothing that it does not need: `npm pack` runs this.
//
// dist/ is replaced by a smaller one: the library as one program without comments, its types as one file.
// The compiler's memory of dist/ goes too, so that the next build makes it anew.
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './native.mjs';

run(process.execPath, ['scripts/build.mjs', '--quiet']);
run(process.execPath, ['scripts/prebuild.mjs']);

// Not at the top: this is read before the dependencies are installed.
const { rollup } = await import('rollup');
const { default: typesOnly } = await import('rollup-plugin-dts');
const { transformSync } = await import('esbuild');

const external = /^node:/;

/** TypeScript for rollup: types are left out, names are kept. */
const typescript = {
  name: 'typescript',
  resolveId: (source) => (source.startsWith('./') ? join(root, 'src', `${source}.ts`) : null),
  transform: (code) => transformSync(code, { loader: 'ts', target: 'es2022' }).code,
};

const program = await rollup({ input: join(root, 'src/index.ts'), external, plugins: [typescript] });
const { output } = await program.generate({ format: 'cjs', generatedCode: { constBindings: true } });
// Without a format esbuild leaves the names of functions and classes alone: they are in stack traces.
const { code } = transformSync(output[0].code, { target: 'es2022', minify: true });

const types = await rollup({ input: join(root, 'dist/index.d.ts'), external, plugins: [typesOnly()] });
const { output: typesOutput } = await types.generate({ format: 'es' });

const dist = join(root, 'dist');
const kept = ['package.json', 'index.mjs', 'index.d.mts', 'cli.mjs'];
for (const name of readdirSync(dist).filter((each) => !kept.includes(each))) rmSync(join(dist, name));
writeFileSync(join(dist, 'index.js'), code);
writeFileSync(join(dist, 'index.d.ts'), typesOutput[0].code);
