/** The sending side of a connection, as the attempts to send see it: a socket, or a ring in shared memory. */
import type { Parts } from '../arguments';
import type { Counters } from './connection';
import type { Slots } from './message-batch';

/** Unless stated otherwise, a result is a number of bytes or messages, or a negative errno: -EAGAIN without room. */
export interface MessageSink extends Pick<Counters, 'messagesSent' | 'bytesSent'> {
  /** The maximum number of messages that one call sends. */
  readonly mostMessages: number;
  /** Whether a send must be tried before it waits, because the try determines how much room it waits for. */
  readonly needsFirstTry: boolean;
  /** Sends one message. Returns its length in bytes. */
  send(parts: Parts, flags: number): number;
  /** Sends one message with at least one descriptor. Returns its length in bytes. */
  sendWithFds(parts: Parts, fds: readonly number[], flags: number): number;
  /** Sends messages, beginning with the one at the index `start`. Returns the number of messages sent. */
  sendMany(messages: readonly Parts[], start: number): number;
  /** Sends at most `count` messages of a batch, beginning with the one at the index `start`. Returns their number. */
  sendSlots(slots: Slots, start: number, count: number): number;
  /** Creates the error of a failed send of these parts. */
  sendingFailure(errno: number, parts: Parts): Error;
}
