/** What the sending and the receiving side of one connection have in common. */
import { SO_TIMESTAMP } from './linux';
import { setIntegerOption } from './options';

export interface Connection {
  readonly fd: number;
  /** Names the connection in errors: by the peer's name, or else by its own. */
  name(): string | Buffer;
  /**
   * The peer closed with unread data. The kernel says so once (ECONNRESET), to whoever calls next and ahead
   * of the messages that the peer had sent; noted here, it is reported behind them.
   */
  wasReset: boolean;
}

/** Notes a reset, and makes the end of file tell itself from the empty messages that may come before it. */
export function noteReset(connection: Connection): void {
  connection.wasReset = true;
  markMessages(connection.fd, true);
}

/**
 * With time stamps every message carries ancillary data, also an empty one, and also one that was queued
 * before; the end of file does not.
 */
export function markMessages(fd: number, marked: boolean): void {
  setIntegerOption(fd, SO_TIMESTAMP, marked ? 1 : 0);
}
