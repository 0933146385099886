/** The base of sockets and acceptors: a descriptor, a name, and the states open and closed. */
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
  protected descriptor: PolledDescriptor | undefined = undefined;
  /** The owner of the descriptor. It is reused when the endpoint is opened again. */
  #owned: PolledDescriptor | undefined;
  #localPath: string | Buffer | undefined;
  #keepsLoopAlive = true;
  /** Whether subscribers are being notified that this endpoint is about to be closed or released. */
  #isEnding = false;

  /** Whether the endpoint has a descriptor: from `open()`, `assign()` or `connect()` until `close()` or `release()`. */
  get isOpen(): boolean {
    return this.descriptor !== undefined;
  }

  /** The descriptor number, which this object continues to own; -1 if it is not open. */
  get fd(): number {
    return this.descriptor?.fd ?? -1;
  }

  /**
   * The local name (getsockname(2)). If this object was bound by `bind` or `listen`, the name is as it was passed in.
   * It is `''` if the socket is unnamed or not open. It is a `Buffer` only if the name is not UTF-8. An abstract name
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
   * Creates the socket (socket(2)). It is close-on-exec and non-blocking.
   *
   * @throws `EALREADY` if it is open already; `EMFILE`, `ENFILE`
   */
  open(): void {
    this.#requireClosed('socket');
    const fd = os.socket(AF_UNIX, SOCKET_TYPE, 0);
    if (fd < 0) throw systemError('socket', fd);
    this.begin(fd);
  }

  /**
   * Binds to a name (bind(2)). For a path, a socket file is created. It stays after `close()`.
   *
   * @throws `EADDRINUSE` if the name is in use, `EINVAL` if the socket already has a name, `EBADF` if it is not open,
   *   `EACCES`, `ENOENT`, …
   */
  bind(path: SocketPath): void {
    const address = parseAddress(path);
    const { fd } = this.requireDescriptor('bind', address);
    const result = bindTo(address, (sockaddr) => os.bind(fd, sockaddr));
    if (result < 0) throw systemError('bind', result, address.given);
    this.recordLocalPath(address);
  }

  /**
   * Takes ownership of the descriptor of an AF_UNIX + SOCK_SEQPACKET socket, which becomes close-on-exec and
   * non-blocking. If the descriptor is refused, it is unchanged, and its owner keeps it.
   *
   * @throws `EALREADY` if this object is already open, `ENOTSOCK` or `EPROTOTYPE` if the descriptor is of
   *   another kind, `EBADF` if it is closed
   */
  assign(fd: FileDescriptor): void {
    if (!(fd instanceof FileDescriptor)) throw invalidType('fd', 'an instance of FileDescriptor', fd);
    this.#requireClosed('assign');
    if (fd.fd === -1) throw systemError('assign', -EBADF);
    this.checkKind(fd.fd);
    setCloseOnExec(fd.fd);
    setNonBlocking(fd.fd, true);
    this.begin(transferDescriptor(fd));
  }

  /**
   * Returns the descriptor and releases ownership. The caller must close it. The descriptor stays connected or
   * listening, and non-blocking. This object is then closed. Pending operations reject with `ECANCELED`.
   *
   * @throws `EBADF` if this object is not open, or is being closed
   */
  release(): FileDescriptor {
    const descriptor = this.requireDescriptor('release');
    if (!this.end()) throw systemError('release', -EBADF);
    return fileDescriptorOf(descriptor.transfer());
  }

  /**
   * Closes the descriptor (close(2)). Pending operations reject with `ECANCELED`. If this object is not open, this does
   * nothing. It can be opened again.
   *
   * @throws `EBADF` if the number was closed elsewhere, for example by `fs.closeSync(socket.fd)`. Pending operations
   *   reject, and this object is closed, even then
   */
  close(): void {
    const descriptor = this.descriptor;
    if (descriptor === undefined || !this.end()) return;
    descriptor.close();
  }

  /** Rejects all pending operations with `ECANCELED`. No message is lost, and this object remains usable. */
  abstract cancel(): void;

  /** Makes pending operations keep the process alive, which is the default. Returns this object. */
  ref(): this {
    this.#setKeepsLoopAlive(true);
    return this;
  }

  /** Makes pending operations not keep the process alive. Returns this object. */
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
   * Opens the endpoint with a descriptor, and takes ownership of it.
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
   * Cancels pending operations, and detaches the descriptor. The caller closes or transfers it.
   *
   * @returns false, without any effect, if this is called by a subscriber during the notification
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
   * Records the name as it was passed in.
   *
   * @internal
   */
  protected recordLocalPath(address: Address): void {
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
   * Checks that the descriptor is a socket of the kind that this class accepts.
   *
   * @internal
   */
  protected abstract checkKind(fd: number): void;

  /**
   * Returns the descriptor, or throws `EBADF` if there is none.
   *
   * @internal
   */
  protected requireDescriptor(syscall: string, address?: Address): PolledDescriptor {
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

  #requireClosed(syscall: string): void {
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

/** Throws `ENOTSOCK` or `EPROTOTYPE` if the descriptor is not an AF_UNIX + SOCK_SEQPACKET socket. */
export function checkSeqpacket(fd: number): void {
  const isSeqpacket =
    getIntegerOption(fd, SO_DOMAIN) === AF_UNIX && getIntegerOption(fd, SO_TYPE) === SOCK_SEQPACKET;
  if (!isSeqpacket) throw systemError('assign', -EPROTOTYPE);
}

export function isListening(fd: number): boolean {
  return getIntegerOption(fd, SO_ACCEPTCONN) !== 0;
}
