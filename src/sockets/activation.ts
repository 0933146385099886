import { isMainThread } from 'node:worker_threads';
import { setCloseOnExec } from '../descriptors/descriptor-flags';
import { FileDescriptor } from '../descriptors/file-descriptor';
import { invalidState, unsupportedInWorker } from '../errors';
import { SeqpacketAcceptor } from './acceptor';
import { checkSeqpacket, isListening } from './endpoint';
import { SeqpacketSocket } from './socket';

/** A socket that this process was started with. */
export interface ActivatedSocket {
  /** `FileDescriptorName=` of the socket unit, `'connection'` for one of `Accept=yes`, or `'unknown'`. */
  name: string;
  /** If it listens. */
  acceptor?: SeqpacketAcceptor;
  /** If it is connected. */
  socket?: SeqpacketSocket;
}

/** SD_LISTEN_FDS_START */
const FIRST = 3;

/**
 * The sockets that systemd, or another service manager, passed to this process: sd_listen_fds(3). They
 * become this process's own, close-on-exec. `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` are removed
 * from the environment, so that child processes do not take them for theirs; a second call returns none.
 *
 * A descriptor that is no AF_UNIX + SOCK_SEQPACKET socket has neither `acceptor` nor `socket`; it stays
 * open under its number, which is 3 plus its index.
 *
 * They belong to the main thread: a worker has a copy of the environment, so that two threads would own one number. Give
 * a worker the number, `socket.release().detach()`.
 *
 * @returns none if this process was not started that way
 * @throws `ERR_WORKER_UNSUPPORTED_OPERATION` in a worker, if there are any that the main thread has not taken;
 *   `ERR_INVALID_STATE` if the environment makes no sense, `EBADF` if a descriptor is not open
 */
export function activated(): ActivatedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = process.env;
  if (!isMainThread) return noneInWorker(pid, count);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name];
  if (pid === undefined || count === undefined) return [];
  if (positiveInteger('LISTEN_PID', pid) !== process.pid) return [];
  const given = names?.split(':') ?? [];
  const end = FIRST + positiveInteger('LISTEN_FDS', count);
  const numbers: number[] = [];
  for (let fd = FIRST; fd < end; fd++) {
    setCloseOnExec(fd);
    numbers.push(fd);
  }
  return numbers.map((fd, index) => ({ name: given[index] || 'unknown', ...socketOf(fd) }));
}

/** Leaves the environment alone, which the main thread may share with this one. */
function noneInWorker(pid: string | undefined, count: string | undefined): never[] {
  if (pid === undefined || count === undefined) return [];
  if (positiveInteger('LISTEN_PID', pid) !== process.pid) return [];
  throw unsupportedInWorker(
    'activated() is for the main thread: give a worker the number of a socket, socket.release().detach()',
  );
}

function positiveInteger(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalidState(`${name} is not a number: ${JSON.stringify(value)}`);
  return Number(value);
}

function socketOf(fd: number): Omit<ActivatedSocket, 'name'> {
  if (!isSeqpacket(fd)) return {};
  const descriptor = FileDescriptor.adopt(fd);
  return isListening(fd)
    ? { acceptor: new SeqpacketAcceptor(descriptor) }
    : { socket: new SeqpacketSocket(descriptor) };
}

function isSeqpacket(fd: number): boolean {
  try {
    checkSeqpacket(fd);
    return true;
  } catch {
    return false;
  }
}
