/** The state that the sending and the receiving side of one connection share: counters, and a reset by the peer. */
import { SO_TIMESTAMP } from '../system/linux';
import { getIntegerOption, setIntegerOption } from '../system/socket-options';

/** The number of messages and bytes that a socket has sent and received since it was opened. */
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

  /** The address for errors: the peer's name, or else the local name. */
  abstract get name(): string | Buffer;

  /**
   * Records that the peer closed with unread data. The kernel reports this once (ECONNRESET), to the next call, before
   * the messages that the peer has sent. The library reports it after those messages.
   */
  recordReset(): void {
    this.#wasReset = true;
    // The end of file must be distinguished from empty messages before it.
    this.enableMarks();
  }

  get wasReset(): boolean {
    return this.#wasReset;
  }

  /** Records that the reset was reported. The end of file comes next. */
  clearReset(): void {
    this.#wasReset = false;
  }

  /** Whether this library has enabled the marks. */
  get hasEnabledMarks(): boolean {
    return this.#hasEnabledMarks;
  }

  /** Whether the kernel has the marks enabled. Another owner of the socket may have disabled them. */
  get areMarksEnabled(): boolean {
    return getIntegerOption(this.fd, SO_TIMESTAMP) !== 0;
  }

  /**
   * Enables the marks by which empty messages differ from the end of file. A mark is a time stamp (SO_TIMESTAMP): every
   * message then has ancillary data, including empty messages and messages that were already queued. The end of file
   * has none.
   */
  enableMarks(): void {
    setIntegerOption(this.fd, SO_TIMESTAMP, 1);
    this.#hasEnabledMarks = true;
  }
}
