/**
 * Credit: how much one bridge may send before the other has delivered it. A piece costs its bytes and a fixed amount, so
 * that short messages are limited, too. Limits count from the start of the session.
 *
 * The windows of all sessions are what may be on the way to a bridge. nats-server holds it back while the bridge is
 * stopped or busy: it slows down the senders from 48 MiB on, and cuts the bridge off at 64 MiB (max_pending).
 */

export const PIECE_COST = 256;

export function costOf(pieceBytes: number): number {
  return pieceBytes + PIECE_COST;
}

/** The window that a session needs at least: two pieces, because a new limit comes when a quarter is delivered. */
export function smallestWindow(pieceBytes: number): number {
  return 2 * costOf(pieceBytes);
}

/** The longest piece that a window allows. */
export function longestPiece(window: number): number {
  return Math.floor(window / 2) - PIECE_COST;
}

/** Of one session. */
export const MAX_WINDOW = 4 * 1024 * 1024;
const MIN_WINDOW = 8 * 1024;
/** Allows pieces of 256 KiB. */
const FIRST_WINDOW = smallestWindow(256 * 1024);
/** Of all sessions of a bridge together, but for MIN_WINDOW of each. */
const ALL_WINDOWS = 24 * 1024 * 1024;

/** Divides the credit among the sessions of a bridge. */
export class CreditPool {
  /** The first windows of the sessions that are open or are being opened. */
  #first = 0;
  /** What the sessions with much traffic have beyond them. */
  #extra = 0;

  /** Takes the window of a new session: less, the more sessions there are. */
  takeFirst(): number {
    const left = ALL_WINDOWS - this.#first - this.#extra;
    const window = Math.max(MIN_WINDOW, Math.min(FIRST_WINDOW, Math.floor(left / 32)));
    this.#first += window;
    return window;
  }

  giveBack(window: number): void {
    this.#first -= window;
  }

  /** How much more a session may have. Half of all is for the first windows of other sessions. */
  get available(): number {
    const most = Math.min(ALL_WINDOWS / 2, ALL_WINDOWS - this.#first);
    return Math.max(0, Math.floor((most - this.#extra) / 4));
  }

  changeExtra(difference: number): void {
    this.#extra += difference;
  }
}

/** The sender's side. */
export class SendingCredit {
  readonly #pieceCost: number;
  #used = 0;
  #limit: number;
  #wake: (() => void) | undefined;

  /** @param pieceBytes the longest piece that is sent */
  constructor(window: number, pieceBytes: number) {
    this.#limit = window;
    this.#pieceCost = costOf(pieceBytes);
  }

  /** For a piece of any length: the sender does not know the length of the next message. */
  get isAvailable(): boolean {
    return this.#used + this.#pieceCost <= this.#limit;
  }

  use(pieceBytes: number): void {
    this.#used += costOf(pieceBytes);
  }

  /** @throws {RangeError} if the limit is lower than before, or too high */
  raise(limit: number): void {
    if (limit < this.#limit) throw new RangeError(`a credit of ${limit} after ${this.#limit}`);
    // Without this check, the other bridge could fill the memory of this one.
    if (limit > this.#used + MAX_WINDOW)
      throw new RangeError(`a credit of ${limit} after ${this.#used} were used`);
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
  readonly #first: number;
  readonly #pieceBytes: number;
  #limit: number;
  #arrived = 0;
  #done = 0;
  /** `#done` when the limit was raised. */
  #raisedAt = 0;
  /** What the pool counts as given to this session beyond the first window. */
  #extra = 0;

  /** @param window the first window, from the pool */
  constructor(pool: CreditPool, window: number, pieceBytes: number) {
    this.#pool = pool;
    this.#first = window;
    this.#limit = window;
    this.#pieceBytes = pieceBytes;
  }

  /** @throws {RangeError} if the sender exceeds its credit */
  arrive(pieceBytes: number): void {
    if (pieceBytes > this.#pieceBytes) throw new RangeError(`a piece of ${pieceBytes} bytes`);
    this.#arrived += costOf(pieceBytes);
    if (this.#arrived > this.#limit) throw new RangeError('more pieces than the credit allows');
  }

  /** Returns the new limit if it is time to send one. */
  finish(cost: number): number | undefined {
    this.#done += cost;
    const kept = Math.max(0, this.#limit - this.#done - this.#first);
    this.#changeExtra(kept);
    if (this.#done - this.#raisedAt < (this.#limit - this.#raisedAt) / 4) return undefined;
    const window = this.#window(kept);
    const limit = this.#done + window;
    if (limit - this.#limit < window / 4) return undefined;
    this.#limit = limit;
    this.#raisedAt = this.#done;
    this.#changeExtra(window - this.#first);
    return limit;
  }

  /** To be called once, when the session is over. */
  close(): void {
    this.#changeExtra(0);
    this.#pool.giveBack(this.#first);
  }

  /** Up to twice what the session has, if the pool allows it. */
  #window(kept: number): number {
    const wanted = Math.min(MAX_WINDOW - this.#first, 2 * kept + this.#first);
    return this.#first + Math.min(wanted, kept + this.#pool.available);
  }

  #changeExtra(extra: number): void {
    this.#pool.changeExtra(extra - this.#extra);
    this.#extra = extra;
  }
}
