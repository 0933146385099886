import { readlinkSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { type InspectOptions, inspect } from 'node:util';
import { checkBoolean, checkInteger } from '../arguments';
import { invalidType, systemError } from '../errors';
import { inspectProperties } from '../inspection';
import { F_GETFD } from '../system/linux';
import { os } from '../system/os';
import { isNonBlocking, setNonBlocking } from './descriptor-flags';
import { type FileType, fileTypeOf, isSocketOf, type SocketFamily, type SocketType } from './descriptor-kind';
import { closeWhenCollected, OwnedDescriptor } from './owned-descriptor';
import { mayBeTracked, TrackedDescriptor } from './thread-tracking';

/**
 * A source of a descriptor number: a number, an object with a numeric `fd` (a `FileDescriptor`, a `FileHandle`, a
 * stream of `node:fs`, a socket of this library), or a socket, server or child process pipe of `node:net`.
 *
 * The source keeps ownership of its descriptor.
 */
export type FdSource = number | { readonly fd: number } | Socket | Server;

/** Wraps a number that this thread owns (see operating-system.ts) in a `FileDescriptor`. */
export let fileDescriptorOf: (fd: number) => FileDescriptor;

/** Transfers the number to another owner in this thread; -1 if closed or detached. */
export let transferDescriptor: (owner: FileDescriptor) => number;

/**
 * An open file descriptor with exactly one owner.
 *
 * Close it, or declare it with `using`. If the object is garbage-collected while the descriptor is open, the library
 * closes the descriptor, and emits a process warning with the code `SEQPACKET_DESCRIPTOR_COLLECTED`.
 *
 * @example
 * ```ts
 * import { readFileSync } from 'node:fs';
 * import { open } from 'node:fs/promises';
 * import { pair } from 'seqpacket';
 *
 * const [left, right] = pair();
 * const file = await open('/etc/hostname');
 * await left.sendWithFds(Buffer.from('a file'), [file]);
 * await file.close(); // The message has its own descriptor.
 *
 * const { fds } = await right.receiveMessage({ maxFds: 1 });
 * for (const fd of fds) {
 *   console.log(readFileSync(fd.fd, 'utf8') !== ''); // true
 *   fd.close(); // The receiver owns it.
 * }
 * left.close();
 * right.close();
 * ```
 */
export class FileDescriptor implements Disposable {
  readonly #descriptor: OwnedDescriptor;

  static {
    fileDescriptorOf = (fd) => new FileDescriptor(new OwnedDescriptor(fd));
    transferDescriptor = (owner) => {
      return owner.#descriptor.transfer();
    };
  }

  private constructor(descriptor: OwnedDescriptor) {
    this.#descriptor = descriptor;
    closeWhenCollected(this, descriptor);
  }

  /**
   * Takes ownership of a descriptor number. From then on, no other code may close it.
   *
   * When a worker ends, Node.js closes the descriptors that `node:fs` has opened in it. This includes a number from
   * `fs.openSync` that was adopted. `close()` removes the number from that list.
   *
   * @throws `EBADF` if the descriptor is not open (fcntl(2))
   */
  static adopt(fd: number): FileDescriptor {
    checkInteger(fd, 'fd');
    const result = os.fcntl(fd, F_GETFD, 0);
    if (result < 0) throw systemError('fcntl', result);
    if (mayBeTracked(fd)) return new FileDescriptor(new TrackedDescriptor(fd));
    os.own(fd);
    return fileDescriptorOf(fd);
  }

  /**
   * Duplicates a descriptor (dup(2)). The caller owns the duplicate, which is close-on-exec. The source keeps its own
   * descriptor.
   *
   * @throws `EBADF`, `EMFILE`: dup(2)
   */
  static dup(source: FdSource): FileDescriptor {
    const number = descriptorOf(source, 'source');
    const fd = os.dup(number);
    if (fd < 0) throw systemError('dup', fd, undefined, number === -1 ? 'the source is closed' : undefined);
    return fileDescriptorOf(fd);
  }

  /** The descriptor number, which this object continues to own; -1 once closed or detached. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /**
   * The type of the file (fstat(2)).
   *
   * @throws `EBADF` once closed or detached
   */
  get type(): FileType {
    return fileTypeOf(this.fd);
  }

  /**
   * Whether reads and writes fail with `EAGAIN` instead of blocking (O_NONBLOCK in fcntl(2)). The flag belongs to the
   * open file description. Setting it changes all duplicates, including those in other processes.
   *
   * @throws `EBADF` once closed or detached
   */
  get nonBlocking(): boolean {
    return isNonBlocking(this.fd);
  }

  set nonBlocking(value: boolean) {
    checkBoolean(value, 'nonBlocking');
    setNonBlocking(this.fd, value);
  }

  /**
   * Whether the descriptor is a socket. `family` and `type`, if given, must match (SO_DOMAIN and SO_TYPE in socket(7)).
   *
   * `new SeqpacketSocket(descriptor)` requires `isSocket('unix', 'seqpacket')`.
   *
   * @throws `EBADF` once closed or detached
   */
  isSocket(family?: SocketFamily, type?: SocketType): boolean {
    return isSocketOf(this.fd, family, type);
  }

  /**
   * Duplicates the descriptor (dup(2)). The caller owns the duplicate, which is close-on-exec.
   *
   * @throws `EBADF`, `EMFILE`: dup(2)
   */
  dup(): FileDescriptor {
    return FileDescriptor.dup(this);
  }

  /**
   * Returns the number and releases ownership; -1 if closed or detached.
   *
   * The caller must close the number. A number that `node:fs` has opened in a worker is closed when the worker ends,
   * unless `fs.close` closes it first. To pass a descriptor to another thread, detach a duplicate:
   * `descriptor.dup().detach()`.
   */
  detach(): number {
    const fd = transferDescriptor(this);
    if (fd !== -1) os.disown(fd);
    return fd;
  }

  /**
   * Closes the descriptor (close(2)). Closing it again does nothing, even if the number was reused.
   *
   * @throws `EBADF` if the number was closed elsewhere
   */
  close(): void {
    this.#descriptor.close();
  }

  /** Returns `/dev/fd/N`, a path by which this process can open the file again. */
  toString(): string {
    return `/dev/fd/${this.fd}`;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const properties: Record<string, () => unknown> = { fd: () => this.fd };
    if (this.fd !== -1) {
      properties['type'] = () => this.type;
      properties['file'] = () => readlinkSync(`/proc/self/fd/${this.fd}`);
    }
    return inspectProperties(this, properties, depth, options);
  }
}

/** Whether a source is a valid number, which needs no further check. */
export function isDescriptorNumber(source: FdSource): source is number {
  return typeof source === 'number' && source >= 0 && source >> 0 === source;
}

/** The descriptor number of a source; -1, which the kernel rejects with `EBADF`, if the source is closed. */
export function descriptorOf(source: FdSource, name: string): number {
  if (typeof source === 'number') return checkInteger(source, name);
  const fd = findDescriptor(source);
  if (fd === undefined) {
    throw invalidType(
      name,
      'a descriptor number, a FileDescriptor, or an object that has a descriptor',
      source,
    );
  }
  return fd === -1 ? -1 : checkInteger(fd, `${name}.fd`);
}

/** Finds the number in an object. `node:net` has it only in its handle. */
function findDescriptor(source: unknown): number | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  const { fd, _handle } = source as { fd?: unknown; _handle?: { fd?: unknown } | null };
  if (typeof fd === 'number') return fd;
  if (_handle === null) return -1;
  return typeof _handle?.fd === 'number' ? _handle.fd : undefined;
}
