// Builds the binaries that the package carries: one for each processor, for glibc and musl alike. The same
// compiler makes the same bytes.
//
//   node scripts/prebuild.mjs [directory]
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile, root, warnings } from './native.mjs';
import { complaintsAbout } from './portable-binary.mjs';

const directory = resolve(process.argv[2] ?? join(root, 'prebuilds'));

/** Cross compilers as Debian names them: the packages gcc-x86-64-linux-gnu and gcc-aarch64-linux-gnu. */
const compilers = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' };

const flags = [
  ...warnings,
  '-Os',
  '-flto',
  // With -Os glibc's headers would call functions of glibc in place of their inline ones.
  '-D__USE_EXTERN_INLINES',
  // Nothing unwinds the stack through here.
  '-fno-asynchronous-unwind-tables',
  '-fno-unwind-tables',
  // Nothing that one C library alone has.
  '-U_FORTIFY_SOURCE',
  '-fno-stack-protector',
  '-nostdlib',
  '-lgcc',
  // What is missing where it is loaded shows at once, not in the middle of the work.
  '-Wl,-z,now',
  '-Wl,-z,relro',
  '-Wl,-z,noexecstack',
  // Nothing of the machine that built it.
  '-Wl,--build-id=none',
  '-s',
];

for (const [architecture, compiler] of Object.entries(compilers)) {
  const file = join(directory, `linux-${architecture}.node`);
  compile(flags, file, compiler);
  const complaints = complaintsAbout(file);
  for (const complaint of complaints) console.error(`${file} ${complaint}`);
  if (complaints.length > 0) process.exit(1);
  console.error(`${file}: ${statSync(file).size} bytes`);
}
