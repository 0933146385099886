/** Shows the messages and events of `connect` and `listen`. */
import { formatPeer, type Peer } from '../connections/peer.js';
import { formatDescription } from '../kernel/descriptors.js';
import type { Framing } from '../messages/framing.js';
import { formatEvent } from '../messages/json.js';
import type { PromptedLines } from '../messages/lines.js';
import type { Incoming } from '../messages/message.js';
import { now } from '../process/clock.js';
import { stdout } from '../process/output.js';
import { paint, printableLines, printRemark } from '../process/terminal.js';

export class Display {
  constructor(
    private readonly framing: Framing,
    private readonly isVerbose: boolean,
    /** Whether there can be several connections, so that their numbers are shown. */
    private readonly isNumbered: boolean,
    private readonly prompt: PromptedLines | undefined,
  ) {}

  async message(incoming: Incoming): Promise<void> {
    const { prompt } = this;
    if (prompt !== undefined) {
      prompt.print(`${this.#formatForTerminal(incoming)}\n`);
    } else {
      // A peer must not control the terminal.
      const bytes = this.framing.encode(incoming);
      const needsEscaping = process.stdout.isTTY && this.framing.coding === 'text';
      stdout.write(needsEscaping ? printableLines(String(bytes)) : bytes);
    }
    if (this.framing.coding !== 'json') {
      for (const [index, description] of incoming.descriptions.entries()) {
        printRemark(`received descriptor ${index}: ${formatDescription(description)}`);
      }
    }
    if (incoming.message.controlTruncated) printRemark('descriptors were lost: raise "ulimit -n"');
    await stdout.backPressure();
  }

  opened(connection: number, peer: Peer | undefined): void {
    this.#event('open', connection, `connected with ${formatPeer(peer)}`, peer && { credentials: peer });
  }

  ended(connection: number): void {
    this.#event('end', connection, 'end of file');
  }

  closed(connection: number): void {
    this.#event('close', connection, 'closed');
  }

  /** Shown without --verbose, too. */
  failed(connection: number, reason: string): void {
    this.#event('error', connection, reason, { reason }, true);
  }

  #event(event: string, connection: number, text: string, details: object = {}, isAlwaysShown = false): void {
    if (this.framing.coding === 'json') {
      stdout.write(formatEvent(event, { time: now(), connection }, details));
    } else if (this.isVerbose || isAlwaysShown) {
      printRemark(this.isNumbered ? `#${connection} ${text}` : text);
    }
  }

  #formatForTerminal(incoming: Incoming): string {
    const text = String(this.framing.encode(incoming)).replace(/\n$/, '');
    const mark = this.isNumbered ? `< #${incoming.connection}` : '<';
    return `${paint('cyan', mark)} ${printableLines(text)}`;
  }
}
