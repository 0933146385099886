/** Lines of input, read on demand. */
import { clearLine, createInterface, cursorTo } from 'node:readline';
import type { Readable } from 'node:stream';
import { EXIT } from '../process/exit-codes.js';
import { Failure, reasonOf } from '../process/failure.js';
import { stop } from '../process/stopping.js';
import { redirectRemarks } from '../process/terminal.js';
import { Splitter } from './splitter.js';

export interface Lines {
  /** The number of lines returned so far. */
  readonly count: number;
  /** The next line without its delimiter; undefined at the end. One call at a time. */
  next(): Promise<Buffer | undefined>;
  /** Ends the input; a pending `next` returns undefined. */
  close(): void;
}

export class StreamLines implements Lines {
  count = 0;
  readonly #stream: Readable;
  readonly #splitter: Splitter;
  #error: Error | undefined;
  #isClosed = false;
  #wake = () => {};

  constructor(stream: Readable, delimiter: Buffer) {
    this.#stream = stream;
    this.#splitter = new Splitter(delimiter);
    stream.pause();
    stream.on('data', (chunk: Buffer) => {
      stream.pause();
      this.#splitter.push(chunk);
      this.#wake();
    });
    const end = () => {
      this.#splitter.end();
      this.#wake();
    };
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', (error) => {
      this.#error = error;
      end();
    });
    stream.pause();
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#isClosed) return undefined;
      const line = this.#splitter.take();
      if (line !== undefined) {
        this.count++;
        return line;
      }
      if (this.#error !== undefined) throw new Failure(`cannot read the input: ${reasonOf(this.#error)}`);
      if (this.#splitter.isEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#stream.resume();
      });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#stream.pause();
    this.#wake();
  }
}

/** Lines typed on a terminal, with a prompt; output is printed above it. */
export class PromptedLines implements Lines {
  count = 0;
  readonly #queue: string[] = [];
  #isClosed = false;
  #wake = () => {};
  readonly #interface = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });

  constructor() {
    this.#interface.on('line', (line) => {
      this.#queue.push(line);
      this.#wake();
      this.#interface.prompt();
    });
    this.#interface.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
    this.#interface.on('SIGINT', () => stop(EXIT.interrupted));
    redirectRemarks((line) => this.print(line));
    this.#interface.prompt();
  }

  /** Prints above the prompt. */
  print(text: string): void {
    clearLine(process.stdout, 0);
    cursorTo(process.stdout, 0);
    process.stdout.write(text);
    if (!this.#isClosed) this.#interface.prompt(true);
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const line = this.#queue.shift();
      if (line !== undefined) {
        this.count++;
        return Buffer.from(line);
      }
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#queue.length = 0;
    this.#interface.close();
  }
}
