/**
 * The frames of a live trace that are in memory, and positions in them. The memory is bounded: the oldest messages are
 * removed, even if a reader has not read them.
 */
import { type ConnectionFrame, type EventFrame, encodeFrame, type MessageFrame } from './frames.js';

export type HistoryFrame = ConnectionFrame | MessageFrame | EventFrame;

/** Frames are removed in pieces of this length. */
const PIECE_BYTES = 262_144;

/** The two lengths at the start of a frame. */
const PREFIX_BYTES = 8;
/** The most bytes that a UTF-16 code unit has in UTF-8. */
const MAX_UTF8_BYTES = 3;
const NO_DATA: Uint8Array = new Uint8Array(0);

/** Some frames, one after the other. Bytes are only appended, so a reader may keep a view of those before. */
class Piece {
  readonly bytes: Buffer;
  length = 0;
  messages = 0;
  /** The frames that are not messages, which are kept while they say something about an open connection. */
  readonly states: State[] = [];

  constructor(
    readonly number: number,
    /** How many messages were in the pieces before. */
    readonly messagesBefore: number,
    size: number,
  ) {
    // Not from the pool, of which a small part would keep the whole.
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Appends what `encodeFrame` returns, in a fraction of its time. Returns the position of the frame. */
  append(header: string, data: Uint8Array): number {
    const { bytes, length } = this;
    const dataStart = length + PREFIX_BYTES + bytes.write(header, length + PREFIX_BYTES);
    bytes.writeUInt32LE(dataStart - length - PREFIX_BYTES, length);
    bytes.writeUInt32LE(data.length, length + 4);
    bytes.set(data, dataStart);
    this.length = dataStart + data.length;
    return length;
  }
}

/** A frame about the state of a connection. */
interface State {
  connection: number;
  isEnd: boolean;
  /** The number of its piece. */
  piece: number;
  bytes: Uint8Array;
}

export class History {
  readonly #maxBytes: number;
  #pieces: Piece[] = [];
  #bytes = 0;
  /** From pieces that were removed: the states of each connection whose end was not removed. */
  readonly #kept = new Map<number, State[]>();
  #hasEnded = false;

  /** @param appended is called when there is something to read */
  constructor(
    maxBytes: number,
    private readonly appended: () => void,
  ) {
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing will be appended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  append(frame: HistoryFrame, data = NO_DATA): void {
    const header = JSON.stringify(frame);
    const piece = this.#pieceFor(PREFIX_BYTES + MAX_UTF8_BYTES * header.length + data.length);
    const start = piece.append(header, data);
    if (frame.type === 'message') {
      piece.messages++;
    } else {
      const isEnd = frame.type === 'event' && frame.event === 'closed';
      // A copy, which does not keep the piece.
      const bytes = Uint8Array.from(piece.bytes.subarray(start, piece.length));
      piece.states.push({ connection: frame.connection, isEnd, piece: piece.number, bytes });
    }
    this.appended();
  }

  end(): void {
    this.#hasEnded = true;
    this.appended();
  }

  reader(): HistoryReader {
    return new HistoryReader(this);
  }

  /** The piece with this number, or else the first one after it. */
  pieceFrom(number: number): Piece | undefined {
    const first = this.#pieces[0];
    return first === undefined ? undefined : this.#pieces[Math.max(0, number - first.number)];
  }

  /** The states of connections that are known, from removed pieces whose number is this or greater. */
  *keptFrom(number: number): Generator<State> {
    for (const states of this.#kept.values()) {
      for (const state of states) if (state.piece >= number) yield state;
    }
  }

  /** Whether the end of a connection whose opening was removed may still be read. */
  isKept(connection: number): boolean {
    return this.#kept.has(connection);
  }

  /** @param length at least that of the next frame */
  #pieceFor(length: number): Piece {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length + length <= last.bytes.length) return last;
    const next = new Piece(
      last === undefined ? 0 : last.number + 1,
      last === undefined ? 0 : last.messagesBefore + last.messages,
      Math.max(PIECE_BYTES, length),
    );
    this.#pieces.push(next);
    this.#bytes += next.bytes.length;
    while (this.#bytes > this.#maxBytes && this.#pieces.length > 1) this.#removeFirst();
    return next;
  }

  #removeFirst(): void {
    const first = this.#pieces.shift() as Piece;
    this.#bytes -= first.bytes.length;
    for (const state of first.states) {
      const states = this.#kept.get(state.connection);
      if (state.isEnd) this.#kept.delete(state.connection);
      else if (states === undefined) this.#kept.set(state.connection, [state]);
      else states.push(state);
    }
  }
}

/** A position in a history. */
export class HistoryReader {
  /** The piece that is being read; undefined at the start. */
  #piece: Piece | undefined;
  #offset = 0;
  #statesRead = 0;
  /** The connections that were read as open. */
  readonly #open = new Set<number>();

  constructor(private readonly history: History) {}

  /** Whether everything was read that is in memory. */
  get isAtEnd(): boolean {
    const piece = this.#piece;
    if (piece !== undefined && this.#offset < piece.length) return false;
    return this.history.pieceFrom(piece === undefined ? 0 : piece.number + 1) === undefined;
  }

  /** The next frames, as one or more whole ones; none at the end. */
  next(): Uint8Array[] {
    const piece = this.#piece;
    if (piece !== undefined && this.#offset < piece.length) return [this.#rest(piece)];
    const number = piece === undefined ? 0 : piece.number + 1;
    const next = this.history.pieceFrom(number);
    if (next === undefined) return [];
    const chunks = next.number === number ? [] : this.#skipTo(next, number);
    this.#piece = next;
    this.#offset = 0;
    this.#statesRead = 0;
    chunks.push(this.#rest(next));
    return chunks;
  }

  #rest(piece: Piece): Uint8Array {
    const start = this.#offset;
    this.#offset = piece.length;
    for (; this.#statesRead < piece.states.length; this.#statesRead++) {
      this.#note(piece.states[this.#statesRead] as State);
    }
    return piece.bytes.subarray(start, piece.length);
  }

  #note({ connection, isEnd }: State): void {
    if (isEnd) this.#open.delete(connection);
    else this.#open.add(connection);
  }

  /** The frames in place of those that were removed: what must be known of connections, and how many messages are missing. */
  #skipTo(next: Piece, firstMissing: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (const connection of this.#open) {
      if (this.history.isKept(connection)) continue;
      this.#open.delete(connection);
      chunks.push(encodeFrame({ type: 'event', connection, time: Date.now() * 1000, event: 'closed' }));
    }
    for (const state of this.history.keptFrom(firstMissing)) {
      this.#note(state);
      chunks.push(state.bytes);
    }
    const piece = this.#piece;
    const messages = next.messagesBefore - (piece === undefined ? 0 : piece.messagesBefore + piece.messages);
    if (messages > 0) chunks.push(encodeFrame({ type: 'left out', messages }));
    return chunks;
  }
}
