// Makes what the package carries, and nothing that it does not need: `npm pack` runs this.
//
// dist/ is replaced by a smaller one: the library as one program without comments, its types as one file.
// The compiler's memory of dist/ goes too, so that the next build makes it anew. The C layer goes without its
// comments.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { headers, root, run, sources } from './native.mjs';

run(process.execPath, ['scripts/build.mjs', '--quiet']);
run(process.execPath, ['scripts/prebuild.mjs']);

// Not at the top: this is read before the dependencies are installed.
const { rollup } = await import('rollup');
const { default: typesOnly } = await import('rollup-plugin-dts');
const { transformSync } = await import('esbuild');
const { minify } = await import('terser');

const external = /^node:/;

/** TypeScript for rollup: types are left out, names are kept. */
const typescript = {
  name: 'typescript',
  resolveId: (source) => (source.startsWith('./') ? join(root, 'src', `${source}.ts`) : null),
  transform: (code) => transformSync(code, { loader: 'ts', target: 'es2022' }).code,
};

const program = await rollup({ input: join(root, 'src/index.ts'), external, plugins: [typescript] });
const { output } = await program.generate({ format: 'cjs', generatedCode: { constBindings: true } });
const types = await rollup({ input: join(root, 'dist/index.d.ts'), external, plugins: [typesOnly()] });
const { output: typesOutput } = await types.generate({ format: 'es' });

const dist = join(root, 'dist');
const squeezed = { ecma: 2020, passes: 3 };
// The names of classes are seen: in stack traces, and by who inspects a socket.
const { code } = await minify(output[0].code, { compress: squeezed, toplevel: true, keep_classnames: true });
const cli = readFileSync(join(dist, 'cli.mjs'), 'utf8');
const { code: cliCode } = await minify(cli, { compress: squeezed, module: true });

const kept = ['package.json', 'index.mjs', 'index.d.mts', 'cli.mjs'];
for (const name of readdirSync(dist).filter((each) => !kept.includes(each)))
  rmSync(join(dist, name), { recursive: true });
writeFileSync(join(dist, 'index.js'), code);
writeFileSync(join(dist, 'cli.mjs'), cliCode);
writeFileSync(join(dist, 'index.d.ts'), typesOutput[0].code);

const source = join(root, 'dist/native');
mkdirSync(source, { recursive: true });
for (const file of [...sources, ...headers]) {
  const text = readFileSync(join(root, file), 'utf8');
  const short = text.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/\n\s*\n/g, '\n');
  writeFileSync(join(source, basename(file)), short.trimStart());
}
