/** One end of a connection of the soak: it sends and receives at once, while operations are aborted at random. */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import type { Ledger } from './ledger.js';
import type { Plan, Side } from './plan.js';
import { Random } from './random.js';
import { Receiver } from './receiver.js';
import { Sender } from './sender.js';

/** What a thread has in common for all its connections. */
export interface Surroundings {
  seed: number;
  /** Numbers of open files that are sent as descriptors. */
  files: readonly number[];
  /** The process at the other end. */
  peer: number;
  /** How many seconds without any progress are a hang. */
  patience: number;
  report(fault: string): void;
  /** How often each thing has happened that a soak is for; of the main thread alone. */
  tally: Tally;
}

export const EVENTS = [
  'aborted',
  'cancelled',
  'closed while it waited',
  'owner changed',
  'sent',
  'sent with descriptors',
  'refused by trySend',
  'sendMany interrupted',
  'too long to send',
  'too long for the buffer',
  'peeked',
  'received',
  'descriptors received',
  'descriptors refused',
  'empty',
  'reset',
  'terminated',
  'with Python',
] as const;

export type Tally = Record<(typeof EVENTS)[number], number>;

export function emptyTally(): Tally {
  return Object.fromEntries(EVENTS.map((event) => [event, 0])) as Tally;
}

export interface Failure {
  code?: string;
  messageSize?: number;
  messagesSent?: number;
}

interface Pending {
  name: string;
  since: number;
}

const HISTORY = 40;

export class Link {
  readonly random: Random;
  isClosed = false;
  /** No more messages than those that have been begun. */
  hurries = false;
  /** How often cancel, release or close rejected what was pending. */
  cancels = 0;
  /** Changes with each session: streams and iterators belong to one. */
  session = 0;
  readonly #pending = new Set<Pending>();
  readonly #history: string[] = [];
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  #progress = 0;
  #sharedAbort: AbortController | undefined;

  constructor(
    public socket: SeqpacketSocket,
    readonly connection: number,
    readonly side: Side,
    readonly plan: Plan,
    readonly ledger: Ledger,
    readonly surroundings: Surroundings,
  ) {
    this.random = new Random(surroundings.seed, connection, 3 + side);
    this.#setOptions();
    this.#sender = new Sender(this);
    this.#receiver = new Receiver(this);
  }

  get peerMayClose(): boolean {
    return this.plan.end !== 'orderly' && this.plan.ender !== this.side;
  }

  get isEnder(): boolean {
    return this.plan.end !== 'orderly' && this.plan.ender === this.side;
  }

  /** @param endsAfter when to close in the middle of it, in milliseconds */
  async run(endsAfter: number | undefined): Promise<void> {
    const watchdog = this.#watch();
    const disturbing = this.#disturb();
    const ending = endsAfter === undefined ? undefined : setTimeout(() => this.close(), endsAfter);
    try {
      await Promise.all([
        this.#sender.run().then(() => this.note('sender is done')),
        this.#receiver.run().then(() => this.note('receiver is done')),
      ]);
      if (this.isEnder && !this.isClosed) {
        if (endsAfter === undefined) await new Promise(() => {});
        while (!this.isClosed) await sleep(1);
      }
    } catch (error) {
      this.fault(`unexpected ${inspect(error)}`);
    } finally {
      this.close();
      clearTimeout(ending);
      await disturbing;
      for (let i = 0; i < 500 && this.#pending.size > 0; i++) await sleep(1);
      if (this.#pending.size > 0) this.fault('promises did not settle after close()');
      clearInterval(watchdog);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.note('close');
    this.isClosed = true;
    this.cancels++;
    this.socket.close();
  }

  fault(text: string): void {
    const { connection, side, plan } = this;
    const pending = [...this.#pending].map(
      ({ name, since }) => `${name} for ${Math.round(performance.now() - since)} ms`,
    );
    const counters = this.socket.isOpen ? inspect(this.socket.counters) : 'closed';
    this.surroundings.report(
      [
        `connection ${connection}, side ${side}: ${text}`,
        `plan: ${inspect(plan, { breakLength: Infinity })}`,
        `socket: ${counters}`,
        `pending: ${pending.join(', ') || 'nothing'}`,
        `before: ${this.#history.join('; ')}`,
      ].join('\n  '),
    );
  }

  note(text: string): void {
    this.#history.push(text);
    if (this.#history.length > HISTORY) this.#history.shift();
  }

  count(event: keyof Tally, times = 1): void {
    this.surroundings.tally[event] += times;
  }

  /** Watches over a promise of the library: it has to settle. */
  track<T>(name: string, promise: Promise<T>): Promise<T> {
    const entry = { name, since: performance.now() };
    this.#pending.add(entry);
    const settled = () => {
      this.#pending.delete(entry);
      this.#progress++;
    };
    promise.then(settled, settled);
    return promise;
  }

  /** A signal that is aborted at some time; mostly none. */
  signal(): AbortSignal | undefined {
    const { random } = this;
    if (random.chance(0.7)) return undefined;
    if (random.chance(0.2)) {
      if (this.#sharedAbort === undefined || this.#sharedAbort.signal.aborted) {
        this.#sharedAbort = new AbortController();
        this.#abortAfter(this.#sharedAbort, random.between(1, 20));
      }
      return this.#sharedAbort.signal;
    }
    const controller = new AbortController();
    const abort = () => controller.abort();
    const when = random.weighted({ before: 1, tick: 2, microtask: 2, turn: 4, timer: 6, never: 3 });
    if (when === 'before') abort();
    else if (when === 'tick') process.nextTick(abort);
    else if (when === 'microtask') queueMicrotask(abort);
    else if (when === 'turn') setImmediate(abort);
    else if (when === 'timer') this.#abortAfter(controller, random.between(1, 5));
    return controller.signal;
  }

  #abortAfter(controller: AbortController, milliseconds: number): void {
    setTimeout(() => controller.abort(), milliseconds).unref();
  }

  /** Lets something pile up. */
  async pause(): Promise<void> {
    if (this.random.chance(0.5)) await turn();
    else await sleep(this.random.between(1, 8));
  }

  /**
   * Whether an error is what was asked for: the signal was aborted, or everything was cancelled.
   */
  wasStopped({ code }: Failure, signal: AbortSignal | undefined, cancels: number): boolean {
    if (code === 'ABORT_ERR') {
      this.count('aborted');
      return signal?.aborted === true;
    }
    if (code === 'ECANCELED') {
      this.count(this.isClosed ? 'closed while it waited' : 'cancelled');
      return this.cancels > cancels;
    }
    return code === 'EBADF' && this.isClosed;
  }

  #setOptions(): void {
    const { plan, side, socket } = this;
    socket.setOption('emptyMessages', plan.modes[side]);
    if (plan.passCredentials[side]) socket.setOption('passCredentials', true);
    socket.setOption('busyPoll', plan.busyPoll[side]);
  }

  /** Cancels everything now and then, and gives the descriptor to another socket. */
  async #disturb(): Promise<void> {
    const { random } = this;
    while (!this.isClosed && !(this.#sender.isDone && this.#receiver.isDone)) {
      await sleep(random.between(1, 40));
      if (this.isClosed) return;
      switch (random.weighted({ cancel: 3, release: 2, look: 3, nothing: 6 })) {
        case 'cancel':
          this.note('cancel');
          this.cancels++;
          this.socket.cancel();
          break;
        case 'release':
          this.#changeOwner();
          break;
        case 'look':
          this.socket.ioControl('bytesReadable');
          inspect(this.socket);
          break;
      }
    }
  }

  #changeOwner(): void {
    let descriptor: FileDescriptor;
    try {
      descriptor = this.socket.release();
    } catch (error) {
      // It holds a message that was too long.
      if ((error as Failure).code !== 'ERR_INVALID_STATE') throw error;
      return;
    }
    this.note('release');
    this.count('owner changed');
    this.cancels++;
    this.session++;
    if (this.random.chance(0.5)) descriptor = FileDescriptor.adopt(descriptor.detach());
    if (this.random.chance(0.5)) this.socket.assign(descriptor);
    else this.socket = new SeqpacketSocket(descriptor);
    this.#setOptions();
  }

  #watch(): NodeJS.Timeout {
    let before = -1;
    let seconds = 0;
    return setInterval(() => {
      const progress = this.#progress + this.ledger.begun;
      seconds = progress === before ? seconds + 1 : 0;
      before = progress;
      if (seconds !== this.surroundings.patience) return;
      this.fault('hangs');
      this.close();
    }, 1000);
  }
}
