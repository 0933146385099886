// Builds the binaries of the package: one for each processor, for both glibc and musl. The same compiler makes the
// same bytes. Older binaries in the directory are removed.
//
//   node scripts/prebuild.mjs [directory]
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile, root, warnings } from './native.mjs';
import { complaintsAbout } from './portable-binary.mjs';

const directory = resolve(process.argv[2] ?? join(root, 'prebuilds'));

/** Compilers by their names in Debian, and the Debian packages of the cross compilers. */
const targets = {
  x64: { compiler: 'x86_64-linux-gnu-gcc', packages: ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross'] },
  arm64: { compiler: 'aarch64-linux-gnu-gcc', packages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'] },
};

function succeeds(program, args, input = '') {
  return spawnSync(program, args, { input }).status === 0;
}

const missing = new Set();
for (const [architecture, { compiler, packages }] of Object.entries(targets)) {
  if (succeeds(compiler, ['-E', '-'], '#include <stdlib.h>\n')) continue;
  console.error(`seqpacket: ${compiler} is missing, or the headers of its C library are`);
  for (const name of architecture === process.arch ? ['gcc', 'libc6-dev'] : packages) missing.add(name);
}
if (!succeeds('readelf', ['--version'])) {
  console.error('seqpacket: readelf is missing');
  missing.add('binutils');
}
if (missing.size > 0) {
  const command = `apt-get install ${[...missing].join(' ')}`;
  console.error(`The binaries of the package cannot be built. On Debian install what they need: ${command}`);
  process.exit(1);
}

mkdirSync(directory, { recursive: true });
for (const name of readdirSync(directory).filter((each) => each.endsWith('.node'))) {
  rmSync(join(directory, name));
}

const flags = [
  ...warnings,
  '-O2',
  '-flto',
  // The stack is never unwound through this code.
  '-fno-asynchronous-unwind-tables',
  '-fno-unwind-tables',
  // No dependency on a single C library.
  '-U_FORTIFY_SOURCE',
  '-fno-stack-protector',
  '-nostdlib',
  '-lgcc',
  // A missing symbol is an error when the binary is loaded, not later.
  '-Wl,-z,now',
  '-Wl,-z,relro',
  '-Wl,-z,noexecstack',
  // No traces of the machine that built it.
  '-Wl,--build-id=none',
  '-s',
];

for (const [architecture, { compiler }] of Object.entries(targets)) {
  const file = join(directory, `linux-${architecture}.node`);
  compile(flags, file, compiler);
  const complaints = complaintsAbout(file);
  for (const complaint of complaints) console.error(`${file} ${complaint}`);
  if (complaints.length > 0) process.exit(1);
  console.error(`${file}: ${statSync(file).size} bytes`);
}
