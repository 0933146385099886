/** The messages on the socket: wake-ups, descriptors, the end of a direction, and the end of the connection. */
import { systemError } from '../errors';
import {
  type AncillaryData,
  closeDescriptors,
  decodeAncillaryData,
  encodeDescriptors,
  ROOM_FOR_ALL,
} from '../messages/ancillary-data';
import { HeldMessages } from '../messages/held-messages';
import {
  EAGAIN,
  ECONNRESET,
  EPIPE,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_EOR,
  MSG_NOSIGNAL,
} from '../system/linux';
import { os } from '../system/os';
import { charge } from '../waiting/turn';
import { DESCRIPTORS, END, MOST_FDS_ON_THEIR_WAY, WAKE_UP } from './layout';
import type { Mistrust } from './ring-writer';

const SENDING_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;
const RECEIVING_FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;

const wakeUp = Uint8Array.of(WAKE_UP);
const descriptors = Uint8Array.of(DESCRIPTORS);
const end = Uint8Array.of(END);
const NO_DATA = Buffer.alloc(0);

/** The maximum number of messages that are received at once. */
const MOST_MESSAGES = 1024;

/** Receives each message of the socket. */
const incoming = new Uint8Array(16);

export class Control {
  /** Whether the peer sends no more: it has ended its direction, or is gone. */
  isEnded = false;
  /** Whether the peer has closed its end, or has died. */
  isGone = false;
  /** The descriptors of records that were not consumed yet. */
  readonly #sets: HeldMessages = new HeldMessages();
  #heldFds = 0;

  constructor(
    private readonly fd: number,
    private readonly mistrust: Mistrust,
    /** Called for each message: operations of either direction may wait for it. */
    private readonly onMessage: () => void,
  ) {}

  /**
   * Wakes the peer. Without room, it has messages to receive, and needs no wake-up. Never throws, because the caller has
   * received or sent a message.
   */
  wake(): void {
    const result = os.send(this.fd, wakeUp, SENDING_FLAGS);
    if (result >= 0 || result === -EAGAIN) return;
    try {
      // Finds that the peer is gone, and what it has sent before.
      this.receiveAll();
    } catch {
      // The next operation fails for the same reason.
    }
  }

  /** Sends the descriptors of a record. Returns a negative errno if that fails. */
  sendDescriptors(fds: readonly number[]): number {
    const result = os.sendmsg(this.fd, [descriptors], encodeDescriptors(fds), SENDING_FLAGS);
    if (result !== -EPIPE && result !== -ECONNRESET) return result;
    // From now on all sends fail. The receives report the reset.
    this.receiveAll();
    return -EPIPE;
  }

  /** Sends the end of this direction. Returns a negative errno if that fails. */
  sendEnd(): number {
    return os.send(this.fd, end, SENDING_FLAGS);
  }

  /**
   * Receives all messages of the socket, or a part of them if they are so many that they would occupy this thread.
   * Returns whether these were all.
   */
  receiveAll(): boolean {
    let count = 0;
    while (count < MOST_MESSAGES && this.receive()) count++;
    charge(0, count);
    return count < MOST_MESSAGES;
  }

  /** Receives one message of the socket. Returns false if there is none. */
  receive(): boolean {
    if (this.isGone) return false;
    const bytes = os.recvmsg(this.fd, incoming, RECEIVING_FLAGS, ROOM_FOR_ALL);
    if (bytes === -EAGAIN) return false;
    // The peer has closed its end with unread messages. Those that it has sent before come next.
    if (bytes === -ECONNRESET) return true;
    if (bytes < 0) throw systemError('recvmsg', bytes);
    this.onMessage();
    const ancillary = decodeAncillaryData();
    if (bytes > incoming.length) os.takeOverflow(NO_DATA);
    if (bytes === 1 && incoming[0] === DESCRIPTORS) {
      this.#hold(ancillary);
      return true;
    }
    closeDescriptors(ancillary);
    if (bytes === 0) {
      this.isEnded = true;
      this.isGone = true;
      return false;
    }
    if (bytes !== 1 || ancillary.fds.length > 0) throw this.#wrongMessage();
    if (incoming[0] === END) this.isEnded = true;
    else if (incoming[0] !== WAKE_UP) throw this.#wrongMessage();
    return true;
  }

  /** Whether descriptors are held for the next record that has some. */
  get hasDescriptors(): boolean {
    return this.#sets.length > 0;
  }

  /** Removes the descriptors of the next record. The caller owns them. */
  takeDescriptors(): AncillaryData {
    this.#heldFds -= countOf(this.#sets.first?.fds ?? []);
    return this.#sets.shift();
  }

  /** Duplicates the descriptors of the next record. The caller owns the duplicates. */
  peekDescriptors(): AncillaryData {
    return this.#sets.peek();
  }

  /** Closes the descriptors that were not delivered. */
  close(): void {
    this.#sets.clear();
  }

  #hold(ancillary: AncillaryData): void {
    const { fds, truncated } = ancillary;
    this.#heldFds += countOf(fds);
    this.#sets.add(NO_DATA, ancillary);
    if (fds.length === 0 && !truncated)
      throw this.mistrust('the peer has sent a message of descriptors without any');
    if (this.#heldFds > MOST_FDS_ON_THEIR_WAY) {
      throw this.mistrust(`the peer has sent more than ${MOST_FDS_ON_THEIR_WAY} descriptors in advance`);
    }
  }

  #wrongMessage(): Error {
    return this.mistrust('the peer has sent a message that does not belong to a shared-memory channel');
  }
}

/** At least one of a set was sent, also if this process could open none (MSG_CTRUNC). */
function countOf(fds: readonly unknown[]): number {
  return Math.max(fds.length, 1);
}
