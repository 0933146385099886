import type { Kernel, KernelSocket } from './kernel.js';
import { type Message, total } from './message.js';
import { OperationQueue } from './operation-queue.js';

export interface Session {
  readonly kernel: KernelSocket;
  /** Messages that have left the kernel's queue and were not received yet. */
  readonly held: Message[];
  /** A system call has returned ECONNRESET. It is reported after the messages. */
  wasReset: boolean;
  /** A receive got ECONNRESET while a send waited. Which of them gets it depends on the event loop. */
  wasContested: boolean;
  /** This socket has shut down sending. */
  endedSending: boolean;
  emptyMessages: 'eof' | 'deliver';
  /** The expected length of the next message. If it is long, receiveMany receives messages singly. */
  expected: number;
  /** The number of messages that are received singly, because earlier ones had descriptors. */
  oneByOne: number;
  readonly counters: {
    messagesSent: number;
    bytesSent: number;
    messagesReceived: number;
    bytesReceived: number;
  };
}

/** A SeqpacketSocket. Methods return the error that the real one throws, if any. */
export class SocketModel {
  session: Session | undefined;
  readonly receives = new OperationQueue();
  readonly sends = new OperationQueue();
  readonly connects = new OperationQueue();

  constructor(readonly kernel: Kernel) {}

  get queues(): readonly OperationQueue[] {
    return [this.connects, this.receives, this.sends];
  }

  /** Whether a waiting receive fetches several messages, and holds those from a message of one of these lengths on. */
  splitsAt(lengths: readonly number[]): boolean {
    return this.receives.waiting.some((each) => lengths.some((length) => each.splitsAt(length)));
  }

  get localPath(): string {
    return this.session?.kernel.name ?? '';
  }

  get remotePath(): string {
    return this.session?.kernel.peer?.name ?? '';
  }

  get bytesReadable(): number {
    const { kernel, held } = this.session!;
    return total([...held, ...kernel.queue].map(({ data }) => data.length));
  }

  begin(kernel: KernelSocket): void {
    kernel.descriptors++;
    this.session = {
      kernel,
      held: [],
      wasReset: false,
      wasContested: false,
      endedSending: false,
      emptyMessages: 'eof',
      expected: 0,
      oneByOne: 0,
      counters: { messagesSent: 0, bytesSent: 0, messagesReceived: 0, bytesReceived: 0 },
    };
  }

  open(): string | undefined {
    if (this.session !== undefined) return 'socket EALREADY';
    this.begin(this.kernel.socket());
    return undefined;
  }

  bind(path: string): string | undefined {
    const error = this.session === undefined ? 'EBADF' : this.kernel.bind(this.session.kernel, path);
    return error && `bind ${error}`;
  }

  shutdown(what: 'receive' | 'send' | 'both'): string | undefined {
    if (this.session === undefined) return 'shutdown EBADF';
    // Sends that were only put off go out before.
    this.sends.serveSent();
    this.session.kernel.shutdown(what !== 'send', what !== 'receive');
    this.session.endedSending ||= what !== 'receive';
    // What waits is tried at once, whatever poll(2) would say.
    while (this.receives.serveFirst());
    while (this.sends.serveFirst());
    return undefined;
  }

  cancel(): void {
    for (const queue of this.queues) queue.cancel();
  }

  close(): void {
    const { session } = this;
    if (session === undefined) return;
    this.cancel();
    this.session = undefined;
    this.kernel.close(session.kernel);
  }

  /** Returns the socket whose descriptor is given up, or the error. */
  release(): KernelSocket | string {
    if (this.session === undefined) return 'release EBADF';
    const { kernel, held } = this.session;
    if (held.length > 0) return 'ERR_INVALID_STATE';
    this.cancel();
    this.session = undefined;
    kernel.descriptors--;
    return kernel;
  }
}
