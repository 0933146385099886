/** A file for what is too long for the memory. It has no name, so that it does not outlive the process. */
import { once } from 'node:events';
import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Output } from '../process/output.js';

export class TemporaryFile {
  readonly output: Output;
  readonly #writing: WriteStream;
  readonly #reading: ReadStream;
  #error: Error | undefined;

  private constructor(writing: WriteStream, reading: ReadStream) {
    this.#writing = writing;
    this.#reading = reading;
    this.output = new Output(writing, (error) => {
      this.#error = error;
    });
  }

  static async create(): Promise<TemporaryFile> {
    const directory = await mkdtemp(join(tmpdir(), 'seqpacket-'));
    const path = join(directory, 'file');
    try {
      // One descriptor for each stream, which closes it when its last operation has ended.
      const writing = createWriteStream(path, { flags: 'wx', mode: 0o600 });
      await once(writing, 'open');
      const reading = createReadStream(path, { start: 0 });
      await once(reading, 'open');
      return new TemporaryFile(writing, reading);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  /** Ends writing. Returns the length in bytes. */
  async finish(): Promise<number> {
    await this.output.end();
    if (this.#error !== undefined) throw this.#error;
    return this.#writing.bytesWritten;
  }

  /** The contents. */
  read(): AsyncIterable<Buffer> {
    return this.#reading;
  }

  close(): void {
    this.#writing.destroy();
    this.#reading.destroy();
  }
}
