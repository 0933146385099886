import type { AcceptorModel } from './acceptor-model.js';
import type { KernelSocket } from './kernel.js';
import { Operation, type Ticket } from './operation.js';
import { failed, type Outcome } from './outcome.js';
import type { SocketModel } from './socket-model.js';

export class Connect extends Operation {
  constructor(
    readonly socket: SocketModel,
    readonly path: string,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('connect', ticket, signal);
  }

  attempt(): Outcome | undefined {
    const error = this.socket.kernel.connect(this.socket.session!.kernel, this.path);
    if (error === 'EAGAIN') return undefined;
    return error === undefined ? { value: undefined } : failed(`connect ${error}`);
  }

  get isOwed(): boolean {
    return this.socket.kernel.connectError(this.socket.session!.kernel, this.path) !== 'EAGAIN';
  }
}

export class Accept extends Operation {
  /** @param accepted receives the accepted socket */
  constructor(
    readonly acceptor: AcceptorModel,
    readonly accepted: (socket: KernelSocket, ticket: Ticket) => void,
    ticket: Ticket,
    signal: AbortSignal | undefined,
  ) {
    super('accept4', ticket, signal);
  }

  attempt(): Outcome | undefined {
    const { state, backlog } = this.acceptor.socket!;
    if (state !== 'listening') return failed('accept4 EINVAL');
    const socket = backlog.shift();
    if (socket === undefined) return undefined;
    this.accepted(socket, this.ticket);
    return { value: 'a socket' };
  }

  get isOwed(): boolean {
    const { state, backlog } = this.acceptor.socket!;
    return state !== 'listening' || backlog.length > 0;
  }
}
