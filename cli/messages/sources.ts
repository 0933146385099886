/** The messages to send: from the lines of standard input, or from `--message`. */
import { Failure, reasonOf } from '../process/failure.js';
import { printError, printRemark } from '../process/terminal.js';
import type { Framing } from './framing.js';
import { type Lines, type PromptedLines, StreamLines } from './lines.js';
import type { Outgoing } from './message.js';

export interface MessageSource {
  /** The next message; undefined at the end. One call at a time. */
  next(): Promise<Outgoing | undefined>;
  /** The origin of the last message, for error messages. */
  readonly place: string;
  close(): void;
}

/** @throws {Failure} if the value of a `--message` is malformed */
export function parseArguments(texts: readonly string[], framing: Framing, sendEmpty: boolean): Outgoing[] {
  return texts.flatMap((text, index) => {
    const place = `--message ${index + 1}`;
    try {
      const message = framing.decode(Buffer.from(text), sendEmpty);
      if (message === undefined) remarkEmpty(place);
      return message ?? [];
    } catch (error) {
      throw new Failure(`${place}: ${reasonOf(error)}`);
    }
  });
}

export class ArgumentMessages implements MessageSource {
  #messages: readonly Outgoing[];
  #index = 0;

  constructor(messages: readonly Outgoing[]) {
    this.#messages = messages;
  }

  get place(): string {
    return `--message ${this.#index}`;
  }

  async next(): Promise<Outgoing | undefined> {
    return this.#messages[this.#index++];
  }

  close(): void {
    this.#messages = [];
  }
}

export class InputMessages implements MessageSource {
  #hasRemarked = false;
  readonly #lines: Lines;

  constructor(
    private readonly framing: Framing,
    private readonly sendEmpty: boolean,
    private readonly prompt: PromptedLines | undefined,
  ) {
    this.#lines = prompt ?? new StreamLines(process.stdin, framing.delimiter);
  }

  get place(): string {
    return `line ${this.#lines.count} of the input`;
  }

  async next(): Promise<Outgoing | undefined> {
    for (;;) {
      const line = await this.#lines.next();
      if (line === undefined) return undefined;
      try {
        const message = this.framing.decode(line, this.sendEmpty);
        if (message !== undefined) return message;
        this.#remarkEmptyLine();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (this.prompt === undefined) throw new Failure(`${this.place}: ${error.message}`);
        printError(error.message);
      }
    }
  }

  close(): void {
    this.#lines.close();
  }

  #remarkEmptyLine(): void {
    if (this.#hasRemarked || this.prompt !== undefined || this.framing.coding === 'json') return;
    this.#hasRemarked = true;
    remarkEmpty(this.place);
  }
}

function remarkEmpty(place: string): void {
  printRemark(
    `${place} is empty and not sent: many peers take an empty message for the end of file (--send-empty sends it)`,
  );
}
