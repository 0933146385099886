// What makes a binary run wherever its processor does, with glibc and musl alike: it names no library, and
// needs nothing but functions that have one meaning everywhere. Needs readelf (binutils).
import { spawnSync } from 'node:child_process';

/** Functions of the C library that glibc and musl share, and that have had one version since 2.17 (glibc). */
const libc = new Set(
  `__errno_location accept4 bind calloc close connect epoll_create1 epoll_ctl epoll_wait eventfd fchmod fcntl
  free getpeername getsockname getsockopt ioctl listen madvise malloc memcpy memmove memset mmap munmap poll
  pthread_create pthread_join pthread_sigmask realloc recvmmsg recvmsg send setsockopt shutdown sigfillset
  socket socketpair syscall sysconf write`.split(/\s+/),
);

/** What a runtime looks for in an addon. */
const entryPoints = new Set(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);

/** What is wrong with the binary; nothing, if it is portable. */
export function complaintsAbout(file) {
  const { status, stdout, stderr } = spawnSync('readelf', ['--wide', '--dynamic', '--dyn-syms', file], {
    encoding: 'utf8',
  });
  if (status !== 0) return [`readelf cannot read it: ${stderr}`];
  const complaints = [];
  for (const [, library] of stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)) complaints.push(`needs ${library}`);
  let symbols = 0;
  for (const line of stdout.matchAll(/^ *\d+: \S+ +\d+ (\S+) +(\S+) +\S+ +(\S+) (\S+)/gm)) {
    const [, type, binding, section, name] = line;
    if (binding === 'LOCAL') continue;
    symbols++;
    if (section !== 'UND') {
      if (!entryPoints.has(name)) complaints.push(`exports ${name}`);
    } else if (name.includes('@')) {
      complaints.push(`needs the version of ${name}`);
    } else if (name.startsWith('uv_')) {
      if (binding !== 'WEAK') complaints.push(`cannot be loaded without ${name}`);
    } else if (!name.startsWith('napi_') && !libc.has(name)) {
      complaints.push(`needs ${name} (${type})`);
    }
  }
  if (symbols === 0) complaints.push('has no symbols');
  return complaints;
}
