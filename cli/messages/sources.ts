/** What shall be sent: the lines of standard input, or the messages of the command line. */
import { Failure, reasonOf } from '../process/failure.js';
import { tell, tellFailure } from '../process/terminal.js';
import type { Framing, Outgoing } from './framing.js';
import { type Lines, type PromptedLines, StreamLines } from './lines.js';

export interface OutgoingOptions {
  /** Instead of standard input. */
  message?: string[] | undefined;
  /** Whether an empty line is an empty message. */
  sendEmpty?: boolean | undefined;
}

/** Messages one after the other; undefined at the end. */
export interface OutgoingSource {
  next(): Promise<Outgoing | undefined>;
  /** Where the last one came from, in words. */
  readonly place: string;
  close(): void;
}

/** The messages of the command line; throws if one of them is none. */
export function givenMessages(texts: readonly string[], framing: Framing, sendEmpty: boolean): Outgoing[] {
  return texts.flatMap((text, index) => {
    const place = `--message ${index + 1}`;
    try {
      const message = framing.decode(Buffer.from(text), sendEmpty);
      if (message === undefined) tellOfEmpty(place);
      return message ?? [];
    } catch (error) {
      throw new Failure(`${place}: ${reasonOf(error)}`);
    }
  });
}

export class GivenMessages implements OutgoingSource {
  #messages: Outgoing[];
  #index = 0;

  constructor(texts: readonly string[], framing: Framing, sendEmpty: boolean) {
    this.#messages = givenMessages(texts, framing, sendEmpty);
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

export class InputMessages implements OutgoingSource {
  #hasTold = false;
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
        this.#tellOfEmptyLine();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (this.prompt === undefined) throw new Failure(`${this.place}: ${error.message}`);
        tellFailure(error.message);
      }
    }
  }

  close(): void {
    this.#lines.close();
  }

  #tellOfEmptyLine(): void {
    if (this.#hasTold || this.prompt !== undefined || this.framing.coding === 'json') return;
    this.#hasTold = true;
    tellOfEmpty(this.place);
  }
}

function tellOfEmpty(place: string): void {
  tell(
    `${place} is empty and not sent: many peers take an empty message for the end (--send-empty sends it)`,
  );
}
