/** Connects, listens and accepts; failed system calls become errors with a remedy. */
import { connect, type ListenOptions, listen, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { codeOf, Failure, reasonOf } from '../process/failure.js';
import type { IdleTimeout } from '../process/idle-timeout.js';
import { stopSignal } from '../process/stopping.js';
import { parseAddress } from './address.js';

const CONNECT_ADVICE: Record<string, string> = {
  ENOENT: 'no such socket: check the address, see "seqpacket ls" (an abstract name is written @name)',
  ECONNREFUSED: 'no process listens there: start the service, or check the address with "seqpacket ls"',
  EACCES: 'permission denied: check the permissions of the socket file and of the directories above it',
  EPERM: 'permission denied',
  EPROTOTYPE: 'a socket of another type than SOCK_SEQPACKET (for a stream socket use socat or nc -U)',
  ENOTSOCK: 'not a socket',
  ENOTDIR: 'a part of the path is not a directory',
  EMFILE: 'no file descriptors left: raise "ulimit -n"',
  ENAMETOOLONG: 'the path is too long',
};

const LISTEN_ADVICE: Record<string, string> = {
  EADDRINUSE: 'the address is in use, or another file exists there: see "seqpacket ls ADDRESS"',
  EACCES: 'permission denied: you may not create a file in that directory',
  ENOENT: 'the directory does not exist: create it first',
  ENOTDIR: 'a part of the path is not a directory',
  EROFS: 'the file system is read-only',
};

/**
 * Connects to an address of the command line. Returns undefined if the process is to stop.
 *
 * @throws {Failure}
 */
export async function connectTo(
  address: string,
  { emptyMessages, timeout }: { emptyMessages?: 'eof' | 'deliver'; timeout?: IdleTimeout } = {},
): Promise<SeqpacketSocket | undefined> {
  const path = parseAddress(address);
  try {
    return await connect(path, { emptyMessages, signal: timeout?.signal ?? stopSignal });
  } catch (error) {
    if (stopSignal.aborted) return undefined;
    timeout?.throwIfExpired(`no connection to ${address}`);
    throw new Failure(`cannot connect to ${address}: ${withAdvice(error, CONNECT_ADVICE)}`);
  }
}

/**
 * Listens at an address of the command line.
 *
 * @throws {Failure}
 */
export function listenAt(address: string, options: ListenOptions): SeqpacketAcceptor {
  const path = parseAddress(address);
  try {
    return listen(path, options);
  } catch (error) {
    throw new Failure(`cannot listen at ${address}: ${withAdvice(error, LISTEN_ADVICE)}`);
  }
}

/**
 * Accepts a connection. Returns undefined if the process is to stop.
 *
 * @param missing the missing activity, for the error message of an expired timeout
 * @throws {Failure}
 */
export async function acceptFrom(
  acceptor: SeqpacketAcceptor,
  timeout?: IdleTimeout,
  missing = 'no client connected',
): Promise<SeqpacketSocket | undefined> {
  try {
    return await acceptor.accept({ signal: timeout?.signal });
  } catch (error) {
    if (stopSignal.aborted) return undefined;
    timeout?.throwIfExpired(missing);
    throw error;
  }
}

function withAdvice(error: unknown, advice: Record<string, string>): string {
  const code = codeOf(error);
  const text = code === undefined ? undefined : advice[code];
  return text === undefined ? reasonOf(error) : `${text} (${code})`;
}
