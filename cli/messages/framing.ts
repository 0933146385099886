/** Messages as lines of text, and back. */
import { isUtf8 } from 'node:buffer';
import type { Message } from 'seqpacket';
import type { Description } from '../kernel/descriptors.js';
import { isoTime } from '../process/clock.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';

export type Coding = 'text' | 'hex' | 'base64' | 'json';

/** A message to be sent. */
export interface Outgoing {
  data: Buffer;
  /** Files by name, and descriptors by number, to go with it. */
  fds: (string | number)[];
  /** To whom, where there are several. */
  connection?: number | undefined;
}

/** A message that was received. */
export interface Incoming {
  time: number;
  connection: number;
  message: Message;
  descriptions: Description[];
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', 0: '\0', '\\': '\\' };

/** `'\n'`, `'\0'`, `'\r\n'`, `'\x1e'` as people write them. */
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
    /** Whether the delimiter is a part of each message. */
    readonly keepsDelimiter = false,
  ) {}

  /**
   * The message that a line stands for; undefined for an empty line, which is an empty message only for those who
   * say so, and nothing at all in JSON.
   *
   * @throws {Failure} if it is no such line
   */
  decode(line: Buffer, sendEmpty: boolean): Outgoing | undefined {
    if (this.coding === 'json') return String(line).trim() === '' ? undefined : fromJson(String(line));
    const data = this.#bytesOf(line, this.coding);
    return data.length > 0 || sendEmpty ? { data, fds: [] } : undefined;
  }

  #bytesOf(line: Buffer, coding: 'text' | 'hex' | 'base64'): Buffer {
    switch (coding) {
      case 'text':
        return this.keepsDelimiter ? Buffer.concat([line, this.delimiter]) : line;
      case 'hex':
        return fromHex(String(line));
      case 'base64':
        return fromBase64(String(line));
    }
  }

  encode(incoming: Incoming): Buffer {
    const { data } = incoming.message;
    switch (this.coding) {
      case 'text':
        return this.keepsDelimiter ? data : Buffer.concat([data, this.delimiter]);
      case 'hex':
        return Buffer.concat([Buffer.from(data.toString('hex')), this.delimiter]);
      case 'base64':
        return Buffer.concat([Buffer.from(data.toString('base64')), this.delimiter]);
      case 'json':
        return Buffer.from(`${JSON.stringify(messageAsJson(incoming))}\n`);
    }
  }
}

function fromHex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Failure('not pairs of hex digits');
  return Buffer.from(digits, 'hex');
}

function fromBase64(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(digits) || digits.replaceAll('=', '').length % 4 === 1) {
    throw new Failure('not base64');
  }
  return Buffer.from(digits, 'base64');
}

const JSON_KEYS = ['data', 'hex', 'base64', 'fds', 'connection'];

function fromJson(text: string): Outgoing {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure('not JSON; a message is {"data": "text"}');
  }
  if (typeof value === 'string') return { data: Buffer.from(value), fds: [] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('not a message; one is {"data": "text"}, or a string');
  }
  const unknown = Object.keys(value).find((key) => !JSON_KEYS.includes(key));
  if (unknown !== undefined) {
    throw new Failure(`"${unknown}" is unknown; a message has ${JSON_KEYS.join(', ')}`);
  }
  const { data, hex, base64, fds = [], connection } = value as Record<string, unknown>;
  const given = [data, hex, base64].filter((each) => each !== undefined);
  if (given.length !== 1 || typeof given[0] !== 'string') {
    throw new Failure('a message needs one of "data", "hex", "base64", a string');
  }
  const isDescriptor = (each: unknown) =>
    typeof each === 'string' || (Number.isInteger(each) && (each as number) >= 0);
  if (!Array.isArray(fds) || !fds.every(isDescriptor)) {
    throw new Failure('"fds" must be an array of file names and descriptor numbers');
  }
  if (connection !== undefined && !Number.isInteger(connection)) {
    throw new Failure('"connection" must be a number');
  }
  const bytes =
    data !== undefined
      ? Buffer.from(data as string)
      : hex !== undefined
        ? fromHex(hex as string)
        : fromBase64(base64 as string);
  return { data: bytes, fds, connection: connection as number | undefined };
}

/** As text if it is UTF-8, and as base64 otherwise. */
export function dataAsJson(data: Buffer): { data: string } | { base64: string } {
  return isUtf8(data) ? { data: String(data) } : { base64: data.toString('base64') };
}

export function descriptorsAsJson(descriptions: Description[], message: Message): object[] {
  return descriptions.map((description, index) => ({ fd: message.fds[index]?.fd, ...description }));
}

function messageAsJson({ time, connection, message, descriptions }: Incoming): object {
  return {
    event: 'message',
    time: isoTime(time),
    connection,
    size: message.data.length,
    ...dataAsJson(message.data),
    fds: descriptorsAsJson(descriptions, message),
    ...(message.credentials === undefined ? {} : { credentials: message.credentials }),
    ...(message.controlTruncated ? { descriptorsLost: true } : {}),
  };
}
