/** How messages and what happens to connections are shown by `connect` and `listen`. */
import type { SeqpacketSocket } from 'seqpacket';
import { inWords } from '../kernel/descriptors.js';
import type { Framing, Incoming } from '../messages/framing.js';
import type { PromptedLines } from '../messages/lines.js';
import { isoTime, now } from '../process/clock.js';
import { codeOf } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { paint, printableLines, tell } from '../process/terminal.js';

export interface Peer {
  pid: number;
  uid: number;
  gid: number;
}

/** Who is there, by the kernel; undefined if it went already. */
export function peerOf(socket: SeqpacketSocket): Peer | undefined {
  try {
    const { pid, uid, gid } = socket.getOption('remoteCredentials');
    return { pid, uid, gid };
  } catch (error) {
    if (codeOf(error) !== 'ENOTCONN') throw error;
    return undefined;
  }
}

export function peerInWords(peer: Peer | undefined): string {
  return peer === undefined ? 'unknown' : `pid ${peer.pid}, uid ${peer.uid}`;
}

export class Presentation {
  constructor(
    private readonly framing: Framing,
    private readonly isVerbose: boolean,
    /** Whether there may be several connections, to be told from each other. */
    private readonly isNumbered: boolean,
    private readonly prompt: PromptedLines | undefined,
  ) {}

  async message(incoming: Incoming): Promise<void> {
    const { prompt } = this;
    if (prompt !== undefined) {
      prompt.show(`${this.#forPeople(incoming)}\n`);
    } else {
      // On a terminal, too, what comes must not be obeyed.
      const bytes = this.framing.encode(incoming);
      const isUnsafe = process.stdout.isTTY && this.framing.coding === 'text';
      stdout.write(isUnsafe ? printableLines(String(bytes)) : bytes);
    }
    if (this.framing.coding !== 'json') {
      for (const [index, description] of incoming.descriptions.entries()) {
        tell(`received descriptor ${index}: ${inWords(description)}`);
      }
    }
    if (incoming.message.controlTruncated) tell('descriptors were lost: raise "ulimit -n"');
    await stdout.room();
  }

  opened(connection: number, peer: Peer | undefined): void {
    this.#event('open', connection, `connected with ${peerInWords(peer)}`, peer && { credentials: peer });
  }

  ended(connection: number): void {
    this.#event('end', connection, 'the peer sends no more');
  }

  closed(connection: number): void {
    this.#event('close', connection, 'closed');
  }

  /** A remark that is of interest in any case. */
  failed(connection: number, reason: string): void {
    this.#event('error', connection, reason, { reason }, true);
  }

  #event(event: string, connection: number, text: string, more: object = {}, isImportant = false): void {
    if (this.framing.coding === 'json') {
      stdout.write(`${JSON.stringify({ event, time: isoTime(now()), connection, ...more })}\n`);
    } else if (this.isVerbose || isImportant) {
      tell(this.isNumbered ? `#${connection} ${text}` : text);
    }
  }

  #forPeople(incoming: Incoming): string {
    const text = String(this.framing.encode({ ...incoming, message: incoming.message })).replace(/\n$/, '');
    const mark = this.isNumbered ? `< #${incoming.connection}` : '<';
    return `${paint('cyan', mark)} ${printableLines(text)}`;
  }
}
