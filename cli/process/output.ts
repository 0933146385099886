/** Buffered output with back-pressure. */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { EXIT } from './exit-codes.js';
import { cannotOpen, codeOf } from './failure.js';
import { stop } from './stopping.js';

/** Buffered bytes that cause a write. */
const PIECE_BYTES = 65_536;
/** Bytes in the stream's queue from which writers have to wait. */
const WAITING_BYTES = 1_048_576;

export class Output {
  /** The first error of the stream; nothing is written after it. */
  error: Error | undefined;

  readonly #stream: Writable;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #text = '';
  #isWriteScheduled = false;

  constructor(stream: Writable, failed: (error: Error) => void) {
    this.#stream = stream;
    // One listener for each connection that waits.
    stream.setMaxListeners(0);
    stream.on('error', (error) => {
      if (this.error !== undefined) return;
      this.error = error;
      failed(error);
    });
  }

  /** @throws {Failure} if the file cannot be opened */
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
      this.#bufferText();
      this.#pieces.push(data);
      this.#size += data.length;
    }
    if (this.#size >= PIECE_BYTES) this.#write();
    else if (!this.#isWriteScheduled) {
      this.#isWriteScheduled = true;
      setImmediate(() => {
        this.#isWriteScheduled = false;
        this.#write();
      });
    }
  }

  /** Returns a promise to await before the next write if the reader is slower than the writer. */
  backPressure(): Promise<void> | undefined {
    const stream = this.#stream;
    if (stream.writableLength < WAITING_BYTES || this.error !== undefined) return undefined;
    return drained(stream);
  }

  /** Writes all buffered data to the stream, and waits until the stream has written it. */
  flush(): Promise<void> {
    this.#write();
    if (this.error !== undefined || this.#stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#stream.write('', () => resolve()));
  }

  /** Flushes, and closes the stream. */
  async end(): Promise<void> {
    await this.flush();
    if (this.error !== undefined || this.#stream.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.end();
    });
  }

  #bufferText(): void {
    if (this.#text === '') return;
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = '';
  }

  #write(): void {
    this.#bufferText();
    if (this.#pieces.length === 0) return;
    const data = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    if (this.error === undefined && !this.#stream.destroyed) this.#stream.write(data);
  }
}

/** Resolves when the stream accepts data again, or is closed. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

/** Standard output. A closed reader, such as head(1), stops the process without a message. */
export const stdout = new Output(process.stdout, (error) => {
  if (codeOf(error) !== 'EPIPE') process.stderr.write(`seqpacket: standard output: ${error.message}\n`);
  stop(codeOf(error) === 'EPIPE' ? EXIT.brokenPipe : EXIT.failure);
});

// Remarks are lost if the reader of standard error has closed it.
process.stderr.on('error', () => {});
