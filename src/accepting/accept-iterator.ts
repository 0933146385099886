/** Iteration over connections: the loop of a server, which continues after a shortage of descriptors or memory. */
import type { SeqpacketError } from '../errors';
import { clearTimeout, setTimeout } from '../system/timers';
import type { Attempt, OperationQueue, UNFINISHED, WOULD_BLOCK } from '../waiting/operation-queue';

/** The errors for a shortage of descriptors or memory, after which accepting can continue (accept(2)). */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
const SHORTAGE_PAUSE_MS = 100;
const SHORTAGE_WARNING = { type: 'SeqpacketWarning', code: 'SEQPACKET_SHORTAGE' };

/** The part of an acceptor's session that the iterator uses. */
interface Source<Socket> {
  readonly accepts: OperationQueue;
  readonly acceptance: Attempt<Socket>;
}

/** The part of an acceptor that the iterator uses. */
interface Acceptor {
  readonly keepsLoopAlive: boolean;
}

export class AcceptIterator<Socket> implements AsyncIterableIterator<Socket> {
  #isOver = false;
  #hasWarned = false;
  #resume: (() => void) | undefined;
  /** The previous step, until it has settled. */
  #previousStep: Promise<unknown> | undefined;

  constructor(
    private readonly acceptor: Acceptor,
    private readonly source: () => Source<Socket> | undefined,
  ) {}

  /** Returns the next connection. Steps run one after another, so that none overtakes one that pauses. */
  next(): Promise<IteratorResult<Socket, undefined>> {
    const advance = () => this.#next();
    const step = this.#previousStep === undefined ? advance() : this.#previousStep.then(advance, advance);
    const done = () => {
      if (this.#previousStep === step) this.#previousStep = undefined;
    };
    this.#previousStep = step;
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

  /** Ends the iteration, including its waiting steps. The acceptor stays open. */
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

  /** The next connection; undefined if the iteration ends first. */
  #accept(): Promise<Socket | undefined> {
    const source = this.source();
    if (source === undefined) return Promise.resolve(undefined);
    return source.accepts.run(new AcceptStep(this, source.acceptance), undefined);
  }

  /** Pauses after a shortage. The timer keeps the process alive only if the acceptor does. */
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

/** An accept as one step of an iterator. */
class AcceptStep<Socket> implements Attempt<Socket> {
  constructor(
    readonly iterator: AcceptIterator<Socket>,
    private readonly acceptance: Attempt<Socket>,
  ) {}

  try(): Socket | typeof WOULD_BLOCK | typeof UNFINISHED {
    return this.acceptance.try();
  }

  failure(errno: number): Error {
    return this.acceptance.failure(errno);
  }
}
