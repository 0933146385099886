/** What the sending and the receiving side of one connection have in common. */
import { SO_TIMESTAMP } from '../system/linux';
import { getIntegerOption, setIntegerOption } from '../system/socket-options';

/** What went through a socket since it was opened. */
export interface Counters {
  messagesSent: number;
  bytesSent: number;
  messagesReceived: number;
  bytesReceived: number;
}

export abstract class Connection implements Counters {
  messagesSent = 0;
  bytesSent = 0;
  messagesReceived = 0;
  bytesReceived = 0;
  #wasReset = false;
  #hasEnabledMarks = false;

  constructor(readonly fd: number) {}

  /** What it is called in errors: the peer's name, or else its own. */
  abstract get name(): string | Buffer;

  /**
   * The peer closed with unread data. The kernel reports this once (ECONNRESET), to the next call and ahead
   * of the messages that the peer had sent; noted here, it is reported behind them.
   */
  recordReset(): void {
    this.#wasReset = true;
    // The end of file must be distinguished from empty messages that may come before it.
    this.enableMarks();
  }

  get wasReset(): boolean {
    return this.#wasReset;
  }

  /** The reset was reported: what comes now is the end of file. */
  clearReset(): void {
    this.#wasReset = false;
  }

  get hasEnabledMarks(): boolean {
    return this.#hasEnabledMarks;
  }

  /** Whether they are still marked: another owner of the socket may have ended that. */
  get areMarksEnabled(): boolean {
    return getIntegerOption(this.fd, SO_TIMESTAMP) !== 0;
  }

  /**
   * Makes empty messages differ from the end of file: with time stamps every message carries
   * ancillary data, also an empty one, and also one that was queued before; the end of file does not.
   */
  enableMarks(): void {
    setIntegerOption(this.fd, SO_TIMESTAMP, 1);
    this.#hasEnabledMarks = true;
  }
}
