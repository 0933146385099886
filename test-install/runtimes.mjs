// The matrix: where seqpacket is tested. The runner (matrix.mjs) and the table in the README follow it.

const npmNode = (architecture, version) => ({
  package: `npm:node-linux-${architecture}@${version}`,
  executable: 'bin/node',
});

/** arm64 programs on another processor, with Debian's C library for arm64. */
const EMULATOR = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'];

/**
 * `tests` is 'all' for every test of this repository, or 'core' for core.mjs, which runs in a project that
 * has the package installed. `ci` says whether `.ci/run` has the time for it; `quickStart`
 * whether projects.test.mjs runs the quick start of the README there.
 */
export const runtimes = [
  ...['20.20.2', '22.23.3', '24.21.0', '26.10.0'].map((version) => ({
    name: `Node.js ${version.split('.')[0]}`,
    architecture: 'x64',
    libc: 'glibc',
    ...npmNode('x64', version),
    flags: ['--expose-gc'],
    tests: 'all',
    ci: /^2[06]/.test(version),
    quickStart: version.startsWith('26'),
  })),
  ...['20.20.2', '24.22.0', '26.12.0'].map((version) => ({
    name: `Node.js ${version.split('.')[0]}`,
    architecture: 'arm64',
    libc: 'glibc',
    ...npmNode('arm64', version),
    loader: EMULATOR,
    flags: ['--expose-gc'],
    tests: 'core',
    note: 'under qemu',
    ci: version.startsWith('24'),
  })),
  {
    name: 'Bun 1.4',
    architecture: 'x64',
    libc: 'glibc',
    package: 'npm:@oven/bun-linux-x64@1.4.5',
    executable: 'bin/bun',
    tests: 'core',
    ci: true,
    quickStart: true,
  },
  {
    name: 'Bun 1.4',
    architecture: 'x64',
    libc: 'musl',
    package: 'npm:@oven/bun-linux-x64-musl@1.4.5',
    executable: 'bin/bun',
    needsMusl: true,
    tests: 'core',
    ci: true,
  },
  {
    name: 'Deno 2.9',
    architecture: 'x64',
    libc: 'glibc',
    package: 'npm:@deno/linux-x64-glibc@2.9.6',
    executable: 'deno',
    flags: ['run', '--quiet', '--allow-all', '--v8-flags=--expose-gc'],
    tests: 'core',
    ci: true,
    quickStart: true,
  },
];

/** What ought to work, and was not tried by anybody here. */
export const untested = [
  {
    name: 'Node.js',
    architecture: 'x64, arm64',
    libc: 'musl',
    why: 'the same binaries; no such Node.js on npm',
  },
  { name: 'Node.js', architecture: 'arm64', libc: 'glibc', why: 'real processors, without qemu' },
  { name: 'Bun, Deno', architecture: 'arm64', libc: 'glibc, musl', why: 'the same binaries' },
];

/** The table of the README. */
export function table() {
  const tests = { all: 'every test', core: 'the core tests' };
  const rows = runtimes.map((each) => [
    each.name,
    each.architecture,
    each.libc,
    tests[each.tests] + (each.note === undefined ? '' : `, ${each.note}`),
  ]);
  for (const each of untested) rows.push([each.name, each.architecture, each.libc, `untested: ${each.why}`]);
  const lines = [['runtime', 'processor', 'C library', 'tested with'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
