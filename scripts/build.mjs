// Builds what is out of date: dependencies, the C layer, TypeScript, the command.
//
//   node scripts/build.mjs [--sanitize] [--source-maps]
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { bundle } from './bundle.mjs';
import { installDependencies } from './dependencies.mjs';
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
import { contents, step } from './step.mjs';

const variant = process.argv.includes('--sanitize') ? 'sanitized' : 'release';
const compilerOptions = process.argv.includes('--source-maps') ? ['--sourceMap'] : [];

await installDependencies('.', 'what building and testing need');

mkdirSync(`${root}/build`, { recursive: true });
const flags = [...warnings, ...variants[variant]];
const native = {
  stamp: 'build/.native',
  inputs: [compiler(), ...compilerFlags, ...flags, ...contents([...sources, ...headers])],
  outputs: ['build/seqpacket.node'],
};
await step(`Compiling the C layer (${variant})`, native, () => compile(flags));

/** The files of some directories, with those of the directories in them. */
function filesIn(...directories) {
  return directories.flatMap((directory) =>
    readdirSync(`${root}/${directory}`, { recursive: true })
      .map((name) => `${directory}/${name}`)
      .filter((name) => /\.(m?ts|tsx|json|html|css|svg)$/.test(name))
      .sort(),
  );
}

const bridge = ['packages/bridge/src', 'packages/bridge/test'];
const sourceFiles = filesIn('src', 'cli', 'test', 'examples', 'demo', ...bridge);
const configuration = [
  'tsconfig.json',
  'tsconfig.base.json',
  'packages/bridge/tsconfig.json',
  'package-lock.json',
];
const typescript = {
  stamp: 'build/.typescript',
  // The names count, too: a removed file has no contents.
  inputs: [...compilerOptions, ...sourceFiles, ...contents([...configuration, ...sourceFiles])],
  outputs: ['dist/index.js', 'build/test', 'packages/bridge/dist/main.js', 'build/bridge'],
};
await step('Compiling TypeScript', typescript, () => {
  // Says that dist/*.js is CommonJS: to Node.js, and before that to the compiler when it reads dist/*.d.ts.
  mkdirSync(`${root}/dist`, { recursive: true });
  copyFileSync(`${root}/src/package.json`, `${root}/dist/package.json`);
  run(process.execPath, ['node_modules/typescript/bin/tsc', '--build', 'test/browser', ...compilerOptions]);
});

const command = {
  stamp: 'dist/.cli',
  inputs: contents([...['package.json', 'package-lock.json', 'scripts/bundle.mjs'], ...filesIn('cli')]),
  outputs: ['dist/cli.mjs', 'man/seqpacket.1', 'dist/inspector/page.js'],
};
await step('Bundling the command and its page', command, () =>
  bundle(variant === 'sanitized' ? sanitizerEnvironment() : {}),
);
