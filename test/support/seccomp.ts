/** Programs for which the kernel lacks something: a seccomp(2) filter makes it fail. */

const SECCOMP = `
import ctypes, os, platform, struct, sys
number = {'x86_64': 55, 'aarch64': 209}[platform.machine()]  # getsockopt
name, errno = int(sys.argv[1]), int(sys.argv[2])
def code(op, jt, jf, k): return struct.pack('HBBI', op, jt, jf, k)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
program = b''.join([
    code(LOAD, 0, 0, 0), code(EQUAL, 0, 3, number),
    code(LOAD, 0, 0, 32), code(EQUAL, 0, 1, name),
    code(RETURN, 0, 0, 0x00050000 | errno), code(RETURN, 0, 0, 0x7fff0000),
])
buffer = ctypes.create_string_buffer(program)
filter = struct.pack('HxxxxxxP', len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
os.execvp(sys.argv[3], sys.argv[3:])
`;

/** The command line by which a program runs with getsockopt(2) failing for one option. */
export function withoutSocketOption(option: number, errno: number, command: readonly string[]): string[] {
  return ['python3', '-I', '-S', '-c', SECCOMP, String(option), String(errno), ...command];
}
