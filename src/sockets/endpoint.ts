/** What sockets and acceptors have in common: a descriptor, a name, a life from open to close. */
import {
  type Address,
  addressBuffer,
  bindTo,
  decodeAddress,
  parseAddress,
  type SocketPath,
} from '../addresses/address';
import { setCloseOnExec, setNonBlocking } from '../descriptors/descriptor-flags';
import { FileDescriptor, fileDescriptorOf, transferDescriptor } from '../descriptors/file-descriptor';
import { closeWhenCollected } from '../descriptors/owned-descriptor';
import { onClose } from '../diagnostics';
import { invalidType, notOpen, type SeqpacketError, systemError } from '../errors';
import {
  AF_UNIX,
  EALREADY,
  EBADF,
  EPROTOTYPE,
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_TYPE,
  SOCK_SEQPACKET,
  SOCKET_TYPE,
} from '../system/linux';
import { os } from '../system/os';
import { getIntegerOption } from '../system/socket-options';
import { PolledDescriptor } from '../waiting/readiness';

export abstract class Endpoint implements Disposable, AsyncDisposable {
  /** @internal */
  protected descriptor: PolledDescriptor | undefined;
  /** What it has owned, also in the lives before. */
  #owned: PolledDescriptor | undefined;
  #localPath: string | Buffer | undefined;
  #keepsLoopAlive = true;
  /** While subscribers are informed that this is about to be closed or released. */
  #isEnding = false;

  /** Whether there is a descriptor: after `open()` or the like, before `close()` and `release()`. */
  get isOpen(): boolean {
    return this.descriptor !== undefined;
  }

  /** The descriptor's number, which stays this object's own; -1 if it is not open. */
  get fd(): number {
    return this.descriptor?.fd ?? -1;
  }

  /**
   * The name that this end is bound to, as it was given to `bind` where that was here; `''` for an
   * unnamed end and for what is not open. A `Buffer` only if the name is not UTF-8. An abstract name
   * begins with NUL.
   */
  get localPath(): string | Buffer {
    if (this.descriptor === undefined) return '';
    if (this.#localPath !== undefined) return this.#localPath;
    const length = os.getsockname(this.descriptor.fd, addressBuffer);
    if (length < 0) throw systemError('getsockname', length);
    return decodeAddress(addressBuffer, length);
  }

  /**
   * Makes the socket (socket(2)): close-on-exec and non-blocking.
   *
   * @throws `EALREADY` if it is open already; `EMFILE`, `ENFILE`
   */
  open(): void {
    this.#mustBeClosed('socket');
    const fd = os.socket(AF_UNIX, SOCKET_TYPE, 0);
    if (fd < 0) throw systemError('socket', fd);
    this.begin(fd);
  }

  /**
   * Binds to a name (bind(2)); a path is created as a socket file, which stays after `close()`.
   *
   * @throws `EADDRINUSE` if the name is taken, `EINVAL` if this socket has a name already, `EBADF` if
   *   it is not open, `EACCES`, `ENOENT`, …
   */
  bind(path: SocketPath): void {
    const address = parseAddress(path);
    const { fd } = this.opened('bind', address);
    const result = bindTo(address, (sockaddr) => os.bind(fd, sockaddr));
    if (result < 0) throw systemError('bind', result, address.given);
    this.named(address);
  }

  /**
   * Takes over the descriptor of an AF_UNIX + SOCK_SEQPACKET socket, which becomes close-on-exec and
   * non-blocking. If it is refused, it stays untouched with its owner.
   *
   * @throws `EALREADY` if this is open already, `ENOTSOCK` or `EPROTOTYPE` if the descriptor is of
   *   another kind, `EBADF` if it is closed
   */
  assign(fd: FileDescriptor): void {
    if (!(fd instanceof FileDescriptor)) throw invalidType('fd', 'an instance of FileDescriptor', fd);
    this.#mustBeClosed('assign');
    if (fd.fd === -1) throw systemError('assign', -EBADF);
    this.checkKind(fd.fd);
    setCloseOnExec(fd.fd);
    setNonBlocking(fd.fd, true);
    this.begin(transferDescriptor(fd));
  }

  /**
   * Gives the descriptor up to the caller, still connected or listening, and closes this object without
   * closing it. Pending operations reject with `ECANCELED`. The descriptor stays non-blocking.
   *
   * @throws `EBADF` if it is not open, or is being closed already
   */
  release(): FileDescriptor {
    const descriptor = this.opened('release');
    if (!this.end()) throw systemError('release', -EBADF);
    return fileDescriptorOf(descriptor.transfer());
  }

  /**
   * Closes the descriptor (close(2)). Pending operations reject with `ECANCELED`. Closing twice, or
   * what was never open, does nothing; it can be opened again.
   *
   * @throws `EBADF` if the number was closed elsewhere, for instance by `fs.closeSync(socket.fd)`. All the same,
   *   pending operations reject, and this object is closed.
   */
  close(): void {
    const descriptor = this.descriptor;
    if (descriptor === undefined || !this.end()) return;
    descriptor.close();
  }

  /** Pending operations reject with `ECANCELED`; nothing is lost, and this stays usable. */
  abstract cancel(): void;

  /** Pending operations keep the process alive again, as they do from the start. */
  ref(): this {
    this.#setKeepsLoopAlive(true);
    return this;
  }

  /** Pending operations do not keep the process alive. */
  unref(): this {
    this.#setKeepsLoopAlive(false);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /**
   * Opens this endpoint with a descriptor, and takes ownership of it.
   *
   * @internal
   */
  protected begin(fd: number, localPath?: string | Buffer): void {
    const descriptor = this.#own(fd);
    this.descriptor = descriptor;
    this.#localPath = localPath;
    this.opening(descriptor);
    this.setKeepsLoopAlive(this.#keepsLoopAlive);
  }

  /**
   * Cancels what is pending and lets go of the descriptor, which the caller closes or gives away.
   *
   * @returns false, and does nothing, if this is being done already: for a subscriber that closes what it is
   *   informed of
   * @internal
   */
  protected end(): boolean {
    if (this.#isEnding) return false;
    if (onClose.hasSubscribers) {
      this.#isEnding = true;
      onClose.publish({ endpoint: this });
      this.#isEnding = false;
    }
    this.cancel();
    this.closing();
    this.descriptor = undefined;
    this.#localPath = undefined;
    return true;
  }

  /**
   * Notes the name that it was bound to.
   *
   * @internal
   */
  protected named(address: Address): void {
    this.#localPath = address.given;
  }

  /** @internal */
  protected abstract opening(descriptor: PolledDescriptor): void;

  /** @internal */
  protected abstract closing(): void;

  /** @internal */
  protected setKeepsLoopAlive(value: boolean): void {
    if (this.descriptor !== undefined) this.descriptor.keepsLoopAlive = value;
  }

  /**
   * Throws unless the descriptor is a socket of the kind that this class is for.
   *
   * @internal
   */
  protected abstract checkKind(fd: number): void;

  /**
   * The descriptor; throws `EBADF` if there is none.
   *
   * @internal
   */
  protected opened(syscall: string, address?: Address): PolledDescriptor {
    if (this.descriptor === undefined) throw this.notOpen(syscall, address);
    return this.descriptor;
  }

  /** @internal */
  protected notOpen(syscall: string, address?: Address): SeqpacketError {
    return notOpen(syscall, this.#owned !== undefined, address?.given);
  }

  #own(fd: number): PolledDescriptor {
    if (this.#owned === undefined) this.#owned = new PolledDescriptor(fd);
    else this.#owned.own(fd);
    closeWhenCollected(this, this.#owned);
    return this.#owned;
  }

  #mustBeClosed(syscall: string): void {
    if (this.descriptor !== undefined) throw systemError(syscall, -EALREADY);
  }

  /** @internal */
  get keepsLoopAlive(): boolean {
    return this.#keepsLoopAlive;
  }

  #setKeepsLoopAlive(value: boolean): void {
    this.#keepsLoopAlive = value;
    this.setKeepsLoopAlive(value);
  }
}

/** Throws `ENOTSOCK` or `EPROTOTYPE` for anything but an AF_UNIX + SOCK_SEQPACKET socket. */
export function checkSeqpacket(fd: number): void {
  const isSeqpacket =
    getIntegerOption(fd, SO_DOMAIN) === AF_UNIX && getIntegerOption(fd, SO_TYPE) === SOCK_SEQPACKET;
  if (!isSeqpacket) throw systemError('assign', -EPROTOTYPE);
}

export function isListening(fd: number): boolean {
  return getIntegerOption(fd, SO_ACCEPTCONN) !== 0;
}
