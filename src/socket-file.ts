/**
 * The files of listening sockets: made with their mode, reclaimed from dead servers, removed by their
 * own server.
 *
 * Servers that start at once in one directory take turns, with flock(2) on the directory, so that none
 * takes another that has bound but does not listen yet for dead.
 */
import { chmodSync, closeSync, constants, lstatSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { type Address, anchored, bindTo, connectTo, directoryOf } from './address';
import { systemError } from './errors';
import { AF_UNIX, EADDRINUSE, ECONNREFUSED, LOCK_EX, LOCK_NB, SOCKET_TYPE } from './linux';
import { os } from './os';

export interface SocketFileOptions {
  /** The permissions of the file, exactly; without them the umask decides. */
  mode?: number | undefined;
  /** Whether to take the place of a file that a dead server left behind. */
  reclaim: boolean;
}

/** The file of a listening socket, which its server removes. */
export class SocketFile {
  readonly #address: () => Address;
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(address: Address, later: () => Address) {
    this.#address = later;
    const { dev, ino } = lstatSync(address.bytes, { bigint: true });
    this.#device = dev;
    this.#inode = ino;
  }

  /**
   * Binds a socket to a path, makes it listen, and returns the file; throws bind(2)'s error.
   *
   * @param listen throws if it fails; the file is removed then
   */
  static create(fd: number, address: Address, options: SocketFileOptions, listen: () => void): SocketFile {
    const later = anchored(address);
    checkPermission(address);
    return takingTurns(address, (certain) => {
      let result = bindWithMode(fd, address, options.mode);
      if (result === -EADDRINUSE && options.reclaim && certain && removeDead(address)) {
        result = bindWithMode(fd, address, options.mode);
      }
      if (result < 0) throw systemError('bind', result, address.given);
      const file = new SocketFile(address, later);
      try {
        listen();
      } catch (error) {
        file.remove();
        throw error;
      }
      return file;
    });
  }

  /**
   * Removes the file, if what is there now is still that file. To be called while the socket is open:
   * as long as it is, no other file gets the number of its inode.
   */
  remove(): void {
    const { bytes } = this.#address();
    const now = lstatSync(bytes, { bigint: true, throwIfNoEntry: false });
    if (now?.dev === this.#device && now.ino === this.#inode) unlinkSync(bytes);
  }
}

/** Throws, before anything has happened, what Node's or Deno's permissions have against looking at the file. */
function checkPermission(address: Address): void {
  try {
    lstatSync(address.bytes);
  } catch (error) {
    // The system's own errors are for bind(2) to tell.
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
  }
}

function bindWithMode(fd: number, address: Address, mode: number | undefined): number {
  const bind = (sockaddr: Uint8Array) => os.bind(fd, sockaddr);
  if (mode === undefined) return bindTo(address, bind);
  // The kernel makes the file with the mode of the socket, less the umask (unix_bind_bsd in af_unix.c).
  const result = os.fchmod(fd, mode);
  if (result < 0) throw systemError('fchmod', result, address.given);
  if ((mode & umask()) === 0) return bindTo(address, bind);
  return bindTo(address, bind, (path) => chmodSync(path, mode));
}

/** If possible not by `process.umask()`, which changes it for a moment in order to read it. */
function umask(): number {
  try {
    const line = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    return Number.parseInt(line?.[1] ?? '777', 8);
  } catch {
    // Forbidden by Node's or Deno's permissions.
    return process.umask();
  }
}

/** Removes a socket file to which a connect is refused; returns whether the name is free now. */
function removeDead(address: Address): boolean {
  const file = lstatSync(address.bytes, { throwIfNoEntry: false });
  if (file === undefined) return true;
  if (!file.isSocket() || !refusesConnections(address)) return false;
  unlinkSync(address.bytes);
  return true;
}

function refusesConnections(address: Address): boolean {
  const probe = os.socket(AF_UNIX, SOCKET_TYPE, 0);
  if (probe < 0) throw systemError('socket', probe, address.given);
  try {
    return connectTo(address, (sockaddr) => os.connect(probe, sockaddr)) === -ECONNREFUSED;
  } finally {
    os.close(probe);
  }
}

const LOCK_TRIES = 200;
const LOCK_DELAY_MS = 5;

/**
 * Does something while no other server in the directory is between its bind(2) and its listen(2), when
 * it would look dead.
 *
 * @param work gets whether that is certain: it is not where the directory cannot be locked
 */
function takingTurns<T>(address: Address, work: (certain: boolean) => T): T {
  let directory: number;
  try {
    directory = openSync(directoryOf(address), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    // Missing, or not readable. If that matters, bind(2) will say so.
    return work(false);
  }
  try {
    return work(lock(directory));
  } finally {
    closeSync(directory);
  }
}

/** Whether the directory could be locked; closing it unlocks it. Others hold the lock for microseconds. */
function lock(directory: number): boolean {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    if (os.flock(directory, LOCK_EX | LOCK_NB) === 0) return true;
    Atomics.wait(clock, 0, 0, LOCK_DELAY_MS);
  }
  return false;
}
