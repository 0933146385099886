// Bundles the command, cli/ and its dependencies, into one file, and makes its manual page.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { root } from './native.mjs';

const target = 'dist/cli.mjs';

/** The command loads the library beside it, not another package of the same name. */
const library = {
  name: 'library',
  setup(build) {
    build.onResolve({ filter: /^seqpacket$/ }, () => ({ path: './index.mjs', external: true }));
  },
};

/** @param environment what the binary needs that was built, besides this process's */
export async function bundle(environment) {
  // Imported here, because this file is loaded before the dependencies are installed.
  const { build } = await import('esbuild');
  const license = readFileSync(`${root}/node_modules/commander/LICENSE`, 'utf8').trim();
  await build({
    absWorkingDir: root.replace(/\/$/, ''),
    entryPoints: ['cli/main.ts'],
    outfile: target,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    plugins: [library],
    banner: {
      // commander is CommonJS, and loads modules of Node.js with require.
      js: [
        `/*! Contains commander:\n${license}\n*/`,
        "import { createRequire } from 'node:module';",
        'const require = createRequire(import.meta.url);',
      ].join('\n'),
    },
  });
  chmodSync(`${root}/${target}`, 0o755);

  const { status, stdout, stderr } = spawnSync(process.execPath, [target, 'manual'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  if (status !== 0) throw new Error(`The manual page cannot be made: ${stderr}`);
  mkdirSync(`${root}/man`, { recursive: true });
  writeFileSync(`${root}/man/seqpacket.1`, stdout);
}
