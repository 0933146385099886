/** Messages in pieces: longer ones than a NATS message may be are split, and put together again. */

/** The longest piece, in bytes; pieces are shorter if the server's max_payload or the window of the session is. */
export const MAX_PIECE_BYTES = 256 * 1024;

/** The shortest piece that is not the last one: a message must not consist of millions of them. */
export const MIN_PIECE_BYTES = 512;

/** Linux has no longer messages than 4,263,616 bytes with pages of 4 KiB, and 16 times that with pages of 64 KiB. */
const MAX_MESSAGE_BYTES = 80 * 1024 * 1024;

/** The pieces of a message. */
export function* piecesOf(message: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let start = 0; start < message.length; start += pieceBytes) {
    yield message.subarray(start, start + pieceBytes);
  }
}

/** Puts the pieces of one direction together. */
export class Reassembly {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** @throws {RangeError} if the piece is too short, or the message longer than any on Linux */
  add(piece: Uint8Array): void {
    if (piece.length < MIN_PIECE_BYTES) throw new RangeError(`a piece of ${piece.length} bytes`);
    this.#push(piece);
  }

  /** The message that ends with this piece. */
  finish(piece: Uint8Array): Uint8Array {
    if (this.isEmpty) return piece;
    this.#push(piece);
    const message = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    return message;
  }

  #push(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > MAX_MESSAGE_BYTES)
      throw new RangeError(`a message of more than ${MAX_MESSAGE_BYTES} bytes`);
    this.#pieces.push(piece);
  }
}
