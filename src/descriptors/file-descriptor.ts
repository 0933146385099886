import { readlinkSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { type InspectOptions, inspect } from 'node:util';
import { checkBoolean, checkInteger } from '../arguments';
import { invalidType, systemError } from '../errors';
import { inspected } from '../inspection';
import { F_GETFD } from '../system/linux';
import { os } from '../system/os';
import { isNonBlocking, setNonBlocking } from './descriptor-flags';
import { type FileType, fileTypeOf, isSocketOf, type SocketFamily, type SocketType } from './descriptor-kind';
import { closeWithOwner, OwnedDescriptor } from './owned-descriptor';
import { mayBeTracked, TrackedDescriptor } from './thread-tracking';

/**
 * What a descriptor can be taken from: a number, anything with a numeric `fd` (a `FileDescriptor`, a
 * `FileHandle`, a stream of `node:fs`, a socket of this library), or a socket, server or child
 * process pipe of `node:net`.
 */
export type FdSource = number | { readonly fd: number } | Socket | Server;

/** Makes the owner of a number that belongs to this thread already. */
export let fileDescriptorOf: (fd: number) => FileDescriptor;

/** Takes the number from its owner for another one in this thread; -1 if there is none any more. */
export let takeDescriptor: (owner: FileDescriptor) => number;

/**
 * An open file descriptor with exactly one owner.
 *
 * Close it, or declare it with `using`. One that is collected unclosed is closed then, with a process
 * warning of the code `SEQPACKET_DESCRIPTOR_COLLECTED`.
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
    takeDescriptor = (owner) => {
      return owner.#descriptor.take();
    };
  }

  private constructor(descriptor: OwnedDescriptor) {
    this.#descriptor = descriptor;
    closeWithOwner(this, descriptor);
  }

  /**
   * Takes ownership of a number: no other code may close it from here on.
   *
   * In a worker, Node.js closes what `node:fs` has opened there when the worker ends. That holds for a number from
   * `fs.openSync` also after it was adopted; `close()` takes it off that list.
   *
   * @throws `EBADF` if no such descriptor is open
   */
  static adopt(fd: number): FileDescriptor {
    checkInteger(fd, 'fd');
    const result = os.fcntl(fd, F_GETFD, 0);
    if (result < 0) throw systemError('fcntl', result);
    return new FileDescriptor(mayBeTracked(fd) ? new TrackedDescriptor(fd) : new OwnedDescriptor(fd));
  }

  /**
   * Makes a duplicate (close-on-exec) of a descriptor, which keeps its owner.
   *
   * @throws `EBADF`, `EMFILE`: dup(2)
   */
  static dup(source: FdSource): FileDescriptor {
    const number = descriptorOf(source, 'source');
    const fd = os.dup(number);
    if (fd < 0) throw systemError('dup', fd, undefined, number === -1 ? 'the source is closed' : undefined);
    return fileDescriptorOf(fd);
  }

  /** The number; -1 once closed or detached. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /**
   * What kind of file it is (fstat(2)).
   *
   * @throws `EBADF` once closed or detached
   */
  get type(): FileType {
    return fileTypeOf(this.fd);
  }

  /**
   * Whether reading and writing fail with `EAGAIN` rather than wait (O_NONBLOCK in fcntl(2)). It belongs to what is
   * open, not to the descriptor: setting it changes it for all duplicates, also in other processes.
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
   * Whether it is a socket, of that family and of that type where they are given (SO_DOMAIN and SO_TYPE in socket(7)).
   *
   * `isSocket('unix', 'seqpacket')` is what `new SeqpacketSocket(descriptor)` demands.
   *
   * @throws `EBADF` once closed or detached
   */
  isSocket(family?: SocketFamily, type?: SocketType): boolean {
    return isSocketOf(this.fd, family, type);
  }

  /**
   * A duplicate, close-on-exec, with an owner of its own.
   *
   * @throws `EBADF`, `EMFILE`: dup(2)
   */
  dup(): FileDescriptor {
    return FileDescriptor.dup(this);
  }

  /**
   * Returns the number and releases ownership; -1 if closed or detached.
   *
   * A number that `node:fs` has opened in a worker is closed with that worker, unless `fs.close` has closed it there.
   * For another thread detach a duplicate: `descriptor.dup().detach()`.
   */
  detach(): number {
    const fd = takeDescriptor(this);
    if (fd !== -1) os.disown(fd);
    return fd;
  }

  /** Closes the descriptor. Closing twice does nothing: a number that was reused meanwhile is safe. */
  close(): void {
    this.#descriptor.close();
  }

  /** `/dev/fd/N`, a path under which this process can open the file again. */
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
    return inspected(this, properties, depth, options);
  }
}

/** The number behind a source; -1, which is `EBADF` to the kernel, for what is closed already. */
export function descriptorOf(source: FdSource, name: string): number {
  if (typeof source === 'number') return checkInteger(source, name);
  const fd = numberIn(source);
  if (fd === undefined) {
    throw invalidType(
      name,
      'a descriptor number, a FileDescriptor, or an object that has a descriptor',
      source,
    );
  }
  return fd === -1 ? -1 : checkInteger(fd, `${name}.fd`);
}

/** `node:net` keeps the number in its handle, and offers no other way to it. */
function numberIn(source: unknown): number | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  const { fd, _handle } = source as { fd?: unknown; _handle?: { fd?: unknown } | null };
  if (typeof fd === 'number') return fd;
  if (_handle === null) return -1;
  return typeof _handle?.fd === 'number' ? _handle.fd : undefined;
}
