/**
 * Credit: how much one bridge may send before the other has delivered it. A piece costs its bytes and a fixed amount, so
 * that short messages are limited, too. Limits count from the start of the session.
 */

export const PIECE_COST = 256;

export function costOf(pieceBytes: number): number {
  return pieceBytes + PIECE_COST;
}

const MAX_WINDOW = 4 * 1024 * 1024;
const MIN_WINDOW = 64 * 1024;
const FIRST_WINDOW = 256 * 1024;
/**
 * Of all sessions of a bridge together. A server cuts off a client for which more than 64 MiB wait (max_pending), so
 * that a bridge must not allow more than that to be on the way to it.
 */
const ALL_WINDOWS = 32 * 1024 * 1024;

/** Divides the credit among the sessions of a bridge. */
export class CreditPool {
  sessions = 0;

  /** The window of a new session. */
  get firstWindow(): number {
    return Math.min(this.largestWindow, FIRST_WINDOW);
  }

  /** The window of a session with much traffic. */
  get largestWindow(): number {
    return Math.max(MIN_WINDOW, Math.min(MAX_WINDOW, Math.floor(ALL_WINDOWS / Math.max(1, this.sessions))));
  }
}

/** The sender's side. */
export class SendingCredit {
  #used = 0;
  #limit: number;
  #wake: (() => void) | undefined;

  constructor(window: number) {
    this.#limit = window;
  }

  /** One piece may exceed the limit: the sender waits only if nothing is left. */
  get isAvailable(): boolean {
    return this.#used < this.#limit;
  }

  use(pieceBytes: number): void {
    this.#used += costOf(pieceBytes);
  }

  /** @throws {RangeError} if the limit is lower than before */
  raise(limit: number): void {
    if (limit < this.#limit) throw new RangeError(`a credit of ${limit} after ${this.#limit}`);
    this.#limit = limit;
    if (this.isAvailable) this.wake();
  }

  /** Resolves when credit is available, or after `wake`. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** The receiver's side. */
export class ReceivingCredit {
  readonly #pool: CreditPool;
  readonly #pieceBytes: number;
  #window: number;
  #limit: number;
  #arrived = 0;
  #done = 0;

  constructor(pool: CreditPool, window: number, pieceBytes: number) {
    this.#pool = pool;
    this.#window = window;
    this.#limit = window;
    this.#pieceBytes = pieceBytes;
  }

  /** @throws {RangeError} if the sender exceeds its credit */
  arrive(pieceBytes: number): void {
    if (pieceBytes > this.#pieceBytes) throw new RangeError(`a piece of ${pieceBytes} bytes`);
    if (this.#arrived >= this.#limit) throw new RangeError('more pieces than the credit allows');
    this.#arrived += costOf(pieceBytes);
  }

  /** Returns the new limit if it is time to send one. */
  finish(cost: number): number | undefined {
    this.#done += cost;
    const limit = this.#done + this.#window;
    if (limit - this.#limit < this.#window / 4) return undefined;
    this.#window = Math.min(this.#window * 2, this.#pool.largestWindow);
    this.#limit = Math.max(this.#limit, this.#done + this.#window);
    return this.#limit;
  }
}
