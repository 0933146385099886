import { isMainThread } from 'node:worker_threads';
import { setCloseOnExec } from '../descriptors/descriptor-flags';
import { FileDescriptor } from '../descriptors/file-descriptor';
import { invalidState, unsupportedInWorker } from '../errors';
import { SeqpacketAcceptor } from './acceptor';
import { checkSeqpacket, isListening } from './endpoint';
import { SeqpacketSocket } from './socket';

/** A socket that was passed to this process at its start. */
export interface ActivatedSocket {
  /** `FileDescriptorName=` of the socket unit, `'connection'` with `Accept=yes`, or `'unknown'`. */
  name: string;
  /** Present if the socket listens. The caller must close it. */
  acceptor?: SeqpacketAcceptor;
  /** Present if the socket does not listen. The caller must close it. */
  socket?: SeqpacketSocket;
}

/** SD_LISTEN_FDS_START: the number of the first descriptor. */
const LISTEN_FDS_START = 3;

/**
 * Returns the sockets that systemd or another service manager passed to this process (sd_listen_fds(3)). The caller
 * owns them, and they are close-on-exec. `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` are removed from the
 * environment, so that child processes do not use them. A second call returns an empty array.
 *
 * A descriptor that is not an AF_UNIX + SOCK_SEQPACKET socket has neither `acceptor` nor `socket`. It stays open under
 * its number, which is 3 plus its index.
 *
 * Call this in the main thread. A worker has a copy of the environment, so that two threads would own the same
 * descriptor. To transfer a socket to a worker, pass the number from `socket.release().detach()`.
 *
 * @returns an empty array if no sockets were passed to this process
 * @throws `ERR_WORKER_UNSUPPORTED_OPERATION` in a worker, if sockets were passed and the main thread has not called
 *   this before; `ERR_INVALID_STATE` if a variable is not a number, `EBADF` if a descriptor is not open
 */
export function activated(): ActivatedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = process.env;
  if (!isMainThread) return activatedInWorker(pid, count);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name];
  if (pid === undefined || count === undefined) return [];
  if (parseCount('LISTEN_PID', pid) !== process.pid) return [];
  const given = names?.split(':') ?? [];
  const end = LISTEN_FDS_START + parseCount('LISTEN_FDS', count);
  const numbers: number[] = [];
  for (let fd = LISTEN_FDS_START; fd < end; fd++) {
    setCloseOnExec(fd);
    numbers.push(fd);
  }
  return numbers.map((fd, index) => ({ name: given[index] || 'unknown', ...adoptSocket(fd) }));
}

/** Does not change the environment, which a worker may share with the main thread. */
function activatedInWorker(pid: string | undefined, count: string | undefined): never[] {
  if (pid === undefined || count === undefined) return [];
  if (parseCount('LISTEN_PID', pid) !== process.pid) return [];
  throw unsupportedInWorker(
    'activated() is for the main thread: give a worker the number of a socket, socket.release().detach()',
  );
}

function parseCount(name: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw invalidState(`${name} is not a number: ${JSON.stringify(value)}`);
  return Number(value);
}

function adoptSocket(fd: number): Omit<ActivatedSocket, 'name'> {
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
