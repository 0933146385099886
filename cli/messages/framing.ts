/** Converts lines of text to messages, and messages to lines. */
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { decodeBase64, decodeHex } from './encodings.js';
import { formatMessage, parseMessage } from './json.js';
import type { Incoming, Outgoing } from './message.js';

export type Coding = 'text' | 'hex' | 'base64' | 'json';

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', 0: '\0', '\\': '\\' };

/**
 * Parses a delimiter with escapes, such as `\n`, `\0`, `\x1e`.
 *
 * @throws {Failure}
 */
export function parseDelimiter(text: string): Buffer {
  const bytes = text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (whole, hex, letter) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const character = ESCAPES[letter];
    if (character === undefined) {
      throw new Failure(`--delimiter: ${whole} is unknown: use \\n \\r \\t \\0 \\\\ or \\xNN`, EXIT.usage);
    }
    return character;
  });
  return Buffer.from(bytes, /\\x[89a-fA-F]/.test(text) ? 'latin1' : 'utf8');
}

export class Framing {
  constructor(
    readonly coding: Coding,
    readonly delimiter: Buffer,
    /** Whether the delimiter is part of each message. */
    readonly keepsDelimiter = false,
  ) {}

  /**
   * Returns undefined for a line that is not a message: an empty one without `sendEmpty`, a blank one in JSON.
   *
   * @throws {Failure} if the line is malformed
   */
  decode(line: Buffer, sendEmpty: boolean): Outgoing | undefined {
    if (this.coding === 'json') return String(line).trim() === '' ? undefined : parseMessage(String(line));
    const data = this.#decodeData(line, this.coding);
    return data.length > 0 || sendEmpty ? { data, fds: [] } : undefined;
  }

  #decodeData(line: Buffer, coding: 'text' | 'hex' | 'base64'): Buffer {
    switch (coding) {
      case 'text':
        return this.keepsDelimiter ? Buffer.concat([line, this.delimiter]) : line;
      case 'hex':
        return decodeHex(String(line));
      case 'base64':
        return decodeBase64(String(line));
    }
  }

  encode(incoming: Incoming): Buffer {
    const { message, descriptions } = incoming;
    const { data } = message;
    switch (this.coding) {
      case 'text':
        return this.keepsDelimiter ? data : Buffer.concat([data, this.delimiter]);
      case 'hex':
      case 'base64':
        return Buffer.concat([Buffer.from(data.toString(this.coding)), this.delimiter]);
      case 'json': {
        const fds = descriptions.map((each, index) => ({ fd: message.fds[index]?.fd, ...each }));
        return Buffer.from(formatMessage(message, incoming, fds));
      }
    }
  }
}
