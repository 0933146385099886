/** The receiving side of a connection, as the attempts to receive see it: a socket, or a ring in shared memory. */
import type { Parts } from '../arguments';
import type { WOULD_BLOCK } from '../waiting/operation-queue';
import type { AncillaryData } from './ancillary-data';
import type { Slots } from './message-batch';

export interface MessageSource {
  /** Whether there is a message that readiness does not report. */
  readonly holdsMessage: boolean;
  /** Receives one message into the parts. Returns its length in bytes. */
  receive(parts: Parts, flags: number): number | typeof WOULD_BLOCK;
  /**
   * Receives one message of any length, into memory that is not written to again.
   *
   * @param controlRoom the room for control messages, in bytes: see ancillary-data.ts
   */
  receiveWhole(controlRoom: number): Buffer | typeof WOULD_BLOCK;
  /** Receives between 1 and `max` messages. Their descriptors are closed. */
  receiveBatch(max: number): Buffer[] | typeof WOULD_BLOCK;
  /**
   * Receives messages into the slots: at least 1, and at most as many as there are slots. Their descriptors are closed.
   */
  receiveIntoSlots(slots: Slots): number | typeof WOULD_BLOCK;
  /** Removes and returns the ancillary data of the last message. The caller owns its descriptors. */
  takeAncillaryData(): AncillaryData;
  /** Discards the ancillary data of the last message, and closes its descriptors. */
  discardAncillaryData(): void;
  /** Creates the error of a failed receive. */
  failure(errno: number): Error;
}
