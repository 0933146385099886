/** Iterating over connections: the loop of a server, which a shortage does not end. */
import type { SeqpacketError } from '../errors';
import { clearTimeout, setTimeout } from '../system/timers';
import type { Attempt, OperationQueue, WOULD_BLOCK } from '../waiting/operation-queue';

/** Errors after which accepting goes on once descriptors or memory are free again (accept(2)). */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
const SHORTAGE_PAUSE_MS = 100;
const SHORTAGE_WARNING = { type: 'SeqpacketWarning', code: 'SEQPACKET_SHORTAGE' };

/** What belongs to an acceptor while it is open. */
interface Source<Socket> {
  readonly accepts: OperationQueue;
  readonly acceptance: Attempt<Socket>;
}

/** An acceptor, as far as its iterator is concerned. */
interface Acceptor {
  readonly keepsLoopAlive: boolean;
}

export class AcceptIterator<Socket> implements AsyncIterableIterator<Socket> {
  #isOver = false;
  #hasWarned = false;
  #resume: (() => void) | undefined;
  /** The step before, until it is done. */
  #last: Promise<unknown> | undefined;

  constructor(
    private readonly acceptor: Acceptor,
    private readonly source: () => Source<Socket> | undefined,
  ) {}

  /** One after the other: a step that pauses is not overtaken by the next one. */
  next(): Promise<IteratorResult<Socket, undefined>> {
    const take = () => this.#next();
    const step = this.#last === undefined ? take() : this.#last.then(take, take);
    const done = () => {
      if (this.#last === step) this.#last = undefined;
    };
    this.#last = step;
    step.then(done, done);
    return step;
  }

  async #next(): Promise<IteratorResult<Socket, undefined>> {
    while (!this.#isOver) {
      try {
        const value = await this.#accept();
        if (value === undefined) break;
        this.#hasWarned = false;
        return { done: false, value };
      } catch (error) {
        const { code } = error as SeqpacketError;
        if (code === 'ECONNABORTED') continue;
        if (SHORTAGES.has(code)) {
          await this.#pause(error as SeqpacketError);
          continue;
        }
        this.#isOver = true;
        if (code !== 'ECANCELED') throw error;
      }
    }
    return this.return();
  }

  /** Steps that wait are over, too. The acceptor stays open. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#isOver = true;
    this.#resume?.();
    const isStep = (attempt: Attempt<unknown>) => attempt instanceof AcceptStep && attempt.iterator === this;
    this.source()?.accepts.finish(isStep, undefined);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next connection; undefined if this is over before there is one. */
  #accept(): Promise<Socket | undefined> {
    const source = this.source();
    if (source === undefined) return Promise.resolve(undefined);
    return source.accepts.run(new AcceptStep(this, source.acceptance), undefined);
  }

  /** Waits a little, without keeping a process alive that the acceptor would not. */
  async #pause({ message }: SeqpacketError): Promise<void> {
    if (!this.#hasWarned) process.emitWarning(`Accepting pauses: ${message}`, SHORTAGE_WARNING);
    this.#hasWarned = true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      timer = setTimeout(resolve, SHORTAGE_PAUSE_MS);
      if (!this.acceptor.keepsLoopAlive) timer.unref();
    });
    clearTimeout(timer);
    this.#resume = undefined;
  }
}

/** An accept as a step of an iterator. */
class AcceptStep<Socket> implements Attempt<Socket> {
  constructor(
    readonly iterator: AcceptIterator<Socket>,
    private readonly acceptance: Attempt<Socket>,
  ) {}

  try(): Socket | typeof WOULD_BLOCK {
    return this.acceptance.try() as Socket | typeof WOULD_BLOCK;
  }

  failure(errno: number): Error {
    return this.acceptance.failure(errno);
  }
}
