/** A stream that is written to in large pieces, whose reader may be slow, and may go away. */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { drained } from './draining.js';
import { EXIT } from './exit-codes.js';
import { cannotOpen, codeOf } from './failure.js';
import { stop } from './stopping.js';

const PIECE_BYTES = 65_536;
/** How much may wait in the stream before writers have to wait. */
const WAITING_BYTES = 1_048_576;

export class Output {
  /** Why nothing more is written. */
  error: Error | undefined;

  readonly #stream: Writable;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #text = '';
  #isFlushPlanned = false;

  constructor(stream: Writable, failed: (error: Error) => void) {
    this.#stream = stream;
    // Each connection that waits for room is one.
    stream.setMaxListeners(0);
    stream.on('error', (error) => {
      if (this.error !== undefined) return;
      this.error = error;
      failed(error);
    });
  }

  /** @throws {Failure} if it cannot be opened */
  static async toFile(path: string, failed: (error: Error) => void): Promise<Output> {
    const stream = createWriteStream(path);
    await new Promise<void>((resolve, reject) => {
      stream.once('open', () => resolve());
      stream.once('error', (error) => reject(cannotOpen(path, error)));
    });
    return new Output(stream, failed);
  }

  write(data: string | Uint8Array): void {
    if (typeof data === 'string') {
      this.#text += data;
      this.#size += data.length;
    } else {
      this.#takeText();
      this.#pieces.push(data);
      this.#size += data.length;
    }
    if (this.#size >= PIECE_BYTES) this.#flush();
    else if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      setImmediate(() => {
        this.#isFlushPlanned = false;
        this.#flush();
      });
    }
  }

  /** A promise if the reader cannot keep up; to be waited for before more is written. */
  room(): Promise<void> | undefined {
    const stream = this.#stream;
    if (stream.writableLength < WAITING_BYTES || this.error !== undefined) return undefined;
    return drained(stream);
  }

  /** Writes everything out. */
  flushed(): Promise<void> {
    this.#flush();
    if (this.error !== undefined || this.#stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#stream.write('', () => resolve()));
  }

  /** Writes everything out, and closes the stream. */
  async end(): Promise<void> {
    await this.flushed();
    if (this.error !== undefined || this.#stream.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.end();
    });
  }

  #takeText(): void {
    if (this.#text === '') return;
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = '';
  }

  #flush(): void {
    this.#takeText();
    if (this.#pieces.length === 0) return;
    const data = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    if (this.error === undefined && !this.#stream.destroyed) this.#stream.write(data);
  }
}

/** Standard output. Nobody needs to be told that its reader went away: head(1) does. */
export const stdout = new Output(process.stdout, (error) => {
  if (codeOf(error) !== 'EPIPE') process.stderr.write(`seqpacket: standard output: ${error.message}\n`);
  stop(codeOf(error) === 'EPIPE' ? EXIT.brokenPipe : EXIT.failure);
});

// A reader of the remarks that went away: there is nobody left to tell.
process.stderr.on('error', () => {});
