// Brings everything up to date and does nothing twice: dependencies, the C layer, TypeScript, the command.
//
//   node scripts/build.mjs [--quiet] [--sanitize]
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { bundle } from './bundle.mjs';
import {
  compile,
  compiler,
  compilerFlags,
  headers,
  root,
  run,
  sanitizerEnvironment,
  sources,
  variants,
  warnings,
} from './native.mjs';

const quiet = process.argv.includes('--quiet');
const variant = process.argv.includes('--sanitize') ? 'sanitized' : 'release';

/** Does a step unless a stamp says that it was done with the same inputs. */
async function step(title, stamp, inputs, work) {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(input).update('\0');
  const digest = hash.digest('hex');
  const file = `${root}/${stamp}`;
  if (existsSync(file) && readFileSync(file, 'utf8') === digest) return;
  if (!quiet || process.stderr.isTTY) console.error(`${title} …`);
  await work();
  writeFileSync(file, digest);
}

const contents = (files) => files.map((file) => readFileSync(`${root}/${file}`, 'utf8'));

await step('Installing dependencies', 'node_modules/.installed', contents(['package-lock.json']), () => {
  // Not `npm ci`: it fails where a registry has not all of the linter's packages for other platforms.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
});

mkdirSync(`${root}/build`, { recursive: true });
const flags = [...warnings, ...variants[variant]];
const nativeInputs = [compiler(), ...compilerFlags, ...flags, ...contents([...sources, ...headers])];
await step(`Compiling the C layer (${variant})`, 'build/.native', nativeInputs, () => compile(flags));

// Says that dist/*.js is CommonJS: to Node.js, and before that to the compiler when it reads dist/*.d.ts.
mkdirSync(`${root}/dist`, { recursive: true });
copyFileSync(`${root}/src/package.json`, `${root}/dist/package.json`);
run(process.execPath, ['node_modules/typescript/bin/tsc', '--build']);

const commandInputs = ['package.json', 'scripts/bundle.mjs', 'node_modules/commander/package.json'];
const commandSources = readdirSync(`${root}/cli`).map((name) => `cli/${name}`);
await step('Bundling the command', 'dist/.cli', contents([...commandInputs, ...commandSources]), () =>
  bundle(variant === 'sanitized' ? sanitizerEnvironment() : {}),
);
