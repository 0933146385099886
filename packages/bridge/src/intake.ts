/**
 * Messages of the local program, received behind the header of their frame: none is copied before it is published. The
 * client of NATS keeps what it publishes until later in the same turn, so that memory is not used again.
 */
import type { SeqpacketSocket } from 'seqpacket';
import { codeOf } from './failure.js';
import { HEADER_BYTES } from './frame.js';

const SMALLEST_BLOCK = 4096;
const LARGEST_BLOCK = 1024 * 1024;
/** A block has room for that many messages of the largest size that occurred. */
const MESSAGES_IN_A_BLOCK = 8;

export interface Received {
  /** The message, behind HEADER_BYTES of room; undefined if the message is longer than a piece. */
  frame: Buffer | undefined;
  /** The message that is longer than a piece. */
  message: Buffer | undefined;
  hasDescriptors: boolean;
}

export class Intake {
  readonly #socket: SeqpacketSocket;
  readonly #longest: number;
  #block = Buffer.alloc(0);
  #used = 0;
  #largestFrame = 256;

  /** @param longest the longest piece, in bytes */
  constructor(socket: SeqpacketSocket, longest: number) {
    this.#socket = socket;
    this.#longest = longest;
  }

  /** The next message. Rejects as `SeqpacketSocket.receive` does. */
  async next(): Promise<Received> {
    for (;;) {
      if (this.#block.length - this.#used < this.#largestFrame) this.#replaceBlock();
      const start = this.#used + HEADER_BYTES;
      const end = Math.min(start + this.#longest, this.#block.length);
      try {
        const received = await this.#socket.receiveWithFds(this.#block.subarray(start, end), 0);
        this.#used = start + received.bytesRead;
        return {
          frame: this.#block.subarray(start - HEADER_BYTES, this.#used),
          message: undefined,
          hasDescriptors: received.controlTruncated,
        };
      } catch (error) {
        const { messageSize = 0 } = error as { messageSize?: number };
        if (codeOf(error) !== 'EMSGSIZE' || messageSize === 0) throw error;
        if (messageSize > this.#longest) return this.#nextInPieces();
        this.#largestFrame = Math.max(this.#largestFrame, messageSize + HEADER_BYTES);
      }
    }
  }

  async #nextInPieces(): Promise<Received> {
    const { data, controlTruncated } = await this.#socket.receiveMessage({ maxFds: 0 });
    return { frame: undefined, message: data, hasDescriptors: controlTruncated };
  }

  /** Published frames refer to the old block. */
  #replaceBlock(): void {
    const wanted = this.#largestFrame * MESSAGES_IN_A_BLOCK;
    const size = Math.max(this.#largestFrame, Math.min(LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, wanted)));
    this.#block = Buffer.allocUnsafeSlow(size);
    this.#used = 0;
  }
}
