/** The errors of the library. They have the shape of Node's own errors. */
import { getSystemErrorMap, inspect, types } from 'node:util';
import { fromCaller } from './caller';
import { EBADF, EMSGSIZE } from './system/linux';

/** The error of a failed system call, thrown or rejected. */
export interface SeqpacketError extends Error {
  /** The name of the error, such as `'ECONNREFUSED'`; `'EOF'` at end of file. See errno(3). */
  code: string;
  /** The negative error number. */
  errno: number;
  /** The system call that failed. For a socket that is not open: the system call that was not made. */
  syscall: string;
  /** The address of the socket, as it was passed in; absent for an unnamed socket. */
  address?: string | Buffer;
  /** Only with `EMSGSIZE`: the length in bytes of the whole message that was received or was to be sent. */
  messageSize?: number;
}

/** Errors without a name in libuv (errno(3)). */
const UNNAMED_BY_LIBUV = new Map<number, [string, string]>([
  [-109, ['ETOOMANYREFS', 'too many references: descriptors in flight exceed RLIMIT_NOFILE']],
]);

/** Cached. Node.js creates a new map for each call, which takes ten times as long as the rest of an error. */
let systemErrors: Map<number, [string, string]> | undefined;

function describe(errno: number): [code: string, description: string] {
  systemErrors ??= getSystemErrorMap();
  return (
    systemErrors.get(errno) ?? UNNAMED_BY_LIBUV.get(errno) ?? [`ERRNO_${-errno}`, 'unknown system error']
  );
}

/** The number that libuv uses for end of file (uv.h). */
const UV_EOF = -4095;

/**
 * The error of a system call.
 *
 * @param errno the negative error number
 * @param detail further information for the message
 */
export function systemError(
  syscall: string,
  errno: number,
  address?: string | Buffer,
  detail?: string,
): SeqpacketError {
  const [code, description] = describe(errno);
  const named = address === undefined || address.length === 0 ? undefined : address;
  const where = named === undefined ? '' : ` ${printable(named)}`;
  const more = detail === undefined ? '' : `, ${detail}`;
  const error = fromCaller(
    () => new Error(`${syscall} ${code}: ${description}${more}${where}`),
  ) as SeqpacketError;
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (named !== undefined) error.address = named;
  return error;
}

/** The error of a call on an endpoint without a descriptor: `EBADF`, as from the kernel. */
export function notOpen(syscall: string, wasOpen: boolean, address?: string | Buffer): SeqpacketError {
  return systemError(syscall, -EBADF, address, wasOpen ? 'the socket is closed' : 'the socket is not open');
}

/** The error for a message that is longer than the send buffer allows. Both sizes are in bytes. */
export function tooLongToSend(messageSize: number, sendBufferSize: number, address?: string | Buffer) {
  const detail = `${messageSize} bytes with a sendBufferSize of ${sendBufferSize}`;
  return Object.assign(systemError('sendmsg', -EMSGSIZE, address, detail), { messageSize });
}

/** The error at end of file: the peer sends no more, and all of its messages were received. */
export function endOfFile(address?: string | Buffer): SeqpacketError {
  return systemError('recvmsg', UV_EOF, address);
}

/** Shows an abstract name with `@` for each NUL, as ss(8) and /proc/net/unix do. */
function printable(address: string | Buffer): string {
  const text = typeof address === 'string' ? address : address.toString('latin1');
  return text.replaceAll('\0', '@');
}

/** The operation's `AbortSignal` was aborted; `cause` is the signal's reason. */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  constructor(signal: AbortSignal) {
    super('The operation was aborted', { cause: signal.reason });
    this.name = 'AbortError';
  }
}

function withCode<E extends Error>(error: E, code: string): E & { code: string } {
  return Object.assign(error, { code });
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${describeValue(value)}`;
  return withCode(
    fromCaller(() => new TypeError(message)),
    'ERR_INVALID_ARG_TYPE',
  );
}

export function invalidValue(name: string, reason: string, value: unknown): TypeError {
  const message = `The argument '${name}' ${reason}. Received ${inspect(value)}`;
  return withCode(
    fromCaller(() => new TypeError(message)),
    'ERR_INVALID_ARG_VALUE',
  );
}

export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`;
  return withCode(
    fromCaller(() => new RangeError(message)),
    'ERR_OUT_OF_RANGE',
  );
}

export function invalidState(message: string): Error {
  return withCode(
    fromCaller(() => new Error(message)),
    'ERR_INVALID_STATE',
  );
}

export function unsupported(message: string): Error {
  return withCode(
    fromCaller(() => new Error(message)),
    'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
  );
}

export function unsupportedInWorker(message: string): Error {
  return withCode(new Error(message), 'ERR_WORKER_UNSUPPORTED_OPERATION');
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value !== 'object') return `type ${typeof value} (${inspect(value)})`;
  // Its constructor would be that of its target.
  if (types.isProxy(value)) return 'a Proxy';
  const name = value.constructor?.name;
  return name ? `an instance of ${name}` : inspect(value, { depth: -1 });
}
