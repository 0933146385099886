import { isAbstract, type Kernel, type KernelSocket, PLAIN_FILE } from './kernel.js';
import { OperationQueue } from './operation-queue.js';

/** A SeqpacketAcceptor. Methods return the error that the real one throws, if any. */
export class AcceptorModel {
  socket: KernelSocket | undefined;
  readonly accepts = new OperationQueue();
  emptyMessages: 'eof' | 'deliver' = 'eof';
  reportsAborted = false;
  /** The file that it removes when it is closed. */
  #file: string | undefined;

  constructor(readonly kernel: Kernel) {}

  get localPath(): string {
    return this.socket?.name ?? '';
  }

  begin(socket: KernelSocket): void {
    socket.descriptors++;
    this.socket = socket;
    this.emptyMessages = 'eof';
    this.reportsAborted = false;
  }

  open(): string | undefined {
    if (this.socket !== undefined) return 'socket EALREADY';
    this.begin(this.kernel.socket());
    return undefined;
  }

  bind(path: string): string | undefined {
    const error = this.socket === undefined ? 'EBADF' : this.kernel.bind(this.socket, path);
    return error && `bind ${error}`;
  }

  listen(backlog: number): string | undefined {
    const error = this.socket === undefined ? 'EBADF' : this.kernel.listen(this.socket, backlog);
    return error && `listen ${error}`;
  }

  /** The effect of `listen(path, …)` on a new acceptor. */
  listenAt(path: string, backlog: number, reclaim: boolean): string | undefined {
    this.open();
    let error = this.bind(path);
    if (error === 'bind EADDRINUSE' && reclaim && !isAbstract(path) && this.#reclaims(path)) {
      error = this.bind(path);
    }
    if (error !== undefined) {
      this.close();
      return error;
    }
    if (!isAbstract(path)) this.#file = path;
    return this.listen(backlog);
  }

  /** Whether the name of a closed socket is free now. An open socket keeps its name. */
  #reclaims(path: string): boolean {
    const holder = this.kernel.names.get(path);
    if (holder === PLAIN_FILE || holder?.state !== 'dead') return false;
    this.kernel.names.delete(path);
    return true;
  }

  close(): void {
    const { socket } = this;
    if (socket === undefined) return;
    const file = this.#file;
    if (file !== undefined && this.kernel.names.get(file) === socket) this.kernel.names.delete(file);
    this.#file = undefined;
    this.accepts.cancel();
    this.socket = undefined;
    this.kernel.close(socket);
  }

  /** Returns the socket whose descriptor is given up, or the error. */
  release(): KernelSocket | string {
    const { socket } = this;
    if (socket === undefined) return 'release EBADF';
    this.accepts.cancel();
    this.socket = this.#file = undefined;
    socket.descriptors--;
    return socket;
  }
}
