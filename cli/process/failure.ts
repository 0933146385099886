/** What goes wrong for users: one line that says what, and what to do. */
import { EXIT } from './exit-codes.js';

export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failure,
  ) {
    super(message);
  }
}

export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** Why a connection cannot be made, by the error's code. */
const CONNECT_ADVICE: Record<string, string> = {
  ENOENT: 'no such socket: check the address, see "seqpacket ls" (an abstract name is written @name)',
  ECONNREFUSED: 'nobody listens there: start the service, or check the address with "seqpacket ls"',
  EACCES: 'permission denied: the socket file or a directory above it is closed to you',
  EPERM: 'permission denied',
  EPROTOTYPE: 'a socket of another type than SOCK_SEQPACKET (for a stream socket use socat or nc -U)',
  ENOTSOCK: 'not a socket',
  ENOTDIR: 'a part of the path is no directory',
  EMFILE: 'no file descriptors left: raise "ulimit -n"',
  ENAMETOOLONG: 'the path is too long',
};

const LISTEN_ADVICE: Record<string, string> = {
  EADDRINUSE: 'somebody listens there, or a file is in the way: see "seqpacket ls ADDRESS"',
  EACCES: 'permission denied: you may not create a file in that directory',
  ENOENT: 'the directory does not exist: create it first',
  ENOTDIR: 'a part of the path is no directory',
  EROFS: 'the file system is read-only',
};

export function cannotConnect(address: string, error: unknown): Failure {
  return new Failure(`cannot connect to ${address}: ${advised(error, CONNECT_ADVICE)}`);
}

export function cannotListen(address: string, error: unknown): Failure {
  return new Failure(`cannot listen at ${address}: ${advised(error, LISTEN_ADVICE)}`);
}

export function cannotOpen(file: string, error: unknown): Failure {
  return new Failure(`cannot open ${file}: ${reasonOf(error)}`);
}

function advised(error: unknown, advice: Record<string, string>): string {
  const code = codeOf(error);
  const text = code === undefined ? undefined : advice[code];
  return text === undefined ? reasonOf(error) : `${text} (${code})`;
}

/** An error in one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('\0', '@');
}
