// Checks that a binary runs with glibc and with musl: it names no library, and needs only functions that have the
// same meaning in both. Needs readelf (binutils).
import { spawnSync } from 'node:child_process';

/** Functions of both glibc and musl, with one version since glibc 2.17. */
const libc = new Set(
  `__errno_location accept4 bind calloc close connect epoll_create1 epoll_ctl epoll_wait eventfd fallocate
  fchmod fcntl free ftruncate getpeername getsockname getsockopt ioctl listen lseek madvise malloc memcpy memmove memset mmap munmap poll
  pthread_create pthread_join pthread_sigmask realloc recvmmsg recvmsg send setsockopt shutdown sigfillset
  socket socketpair syscall sysconf write`.split(/\s+/),
);

/** The symbols that a runtime looks up in an addon. */
const entryPoints = new Set(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);

/** The problems of the binary. Empty if it is portable. */
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
