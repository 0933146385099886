// Bundles the command, cli/ and its dependencies, into one file, and makes its manual page. Bundles the page of the
// inspector, cli/inspector/page/.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { root } from './native.mjs';

const target = 'dist/cli.mjs';

const pageSources = 'cli/inspector/page';
const pageTarget = 'dist/inspector';
/** The largest that the page may be, in bytes: the package contains it. */
const MAX_PAGE_BYTES = 120_000;

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
    minify: true,
    // Names of functions and classes are shown in errors.
    keepNames: true,
    lineLimit: 900,
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
  await bundlePage(build);

  const { status, stdout, stderr } = spawnSync(process.execPath, [target, 'manual'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  if (status !== 0) throw new Error(`The manual page cannot be made: ${stderr}`);
  mkdirSync(`${root}/man`, { recursive: true });
  writeFileSync(`${root}/man/seqpacket.1`, stdout);
}

async function bundlePage(build) {
  rmSync(`${root}/${pageTarget}`, { recursive: true, force: true });
  const licenses = ['preact'].map(
    (name) => `${name}:\n${readFileSync(`${root}/node_modules/${name}/LICENSE`, 'utf8').trim()}`,
  );
  const { metafile } = await build({
    absWorkingDir: root.replace(/\/$/, ''),
    entryPoints: [
      { in: `${pageSources}/main.tsx`, out: 'page' },
      { in: `${pageSources}/page.css`, out: 'page' },
      { in: `${pageSources}/filter/worker.ts`, out: 'filter-worker' },
    ],
    outdir: pageTarget,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    legalComments: 'none',
    banner: { js: `/*! ${licenses.join('\n\n')}\n*/` },
    metafile: true,
  });
  let bytes = 0;
  for (const { bytes: each } of Object.values(metafile.outputs)) bytes += each;
  if (bytes > MAX_PAGE_BYTES) throw new Error(`The page has ${bytes} bytes, more than ${MAX_PAGE_BYTES}`);
  for (const name of ['index.html', 'icon.svg'])
    copyFileSync(`${root}/${pageSources}/${name}`, `${root}/${pageTarget}/${name}`);
}
