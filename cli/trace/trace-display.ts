/** Shows the messages and events of `trace`, as text or as JSON. */
import { type Description, formatDescription } from '../kernel/descriptors.js';
import { formatEvent, formatMessage } from '../messages/json.js';
import type { EventOrigin } from '../messages/message.js';
import { clockTime } from '../process/clock.js';
import { stdout } from '../process/output.js';
import { paint, printable } from '../process/terminal.js';
import type { Direction, ForwardedMessage } from './forwarding.js';
import { hexDump } from './hex-dump.js';
import { textDump } from './text-dump.js';

export interface TraceDisplay {
  message(
    origin: EventOrigin,
    direction: Direction,
    message: ForwardedMessage,
    descriptions: Description[],
  ): void;
  /** @param direction undefined for an event of the whole connection */
  event(origin: EventOrigin, direction: Direction | undefined, event: string, detail?: string): void;
}

const ARROWS = { 'to server': '->', 'to client': '<-' } as const;
const COLOURS = { 'to server': 'green', 'to client': 'blue' } as const;

class TextTraceDisplay implements TraceDisplay {
  /** @param dump formats contents as lines */
  constructor(private readonly dump: (data: Buffer) => string) {}

  message(
    { time, connection }: EventOrigin,
    direction: Direction,
    message: ForwardedMessage,
    descriptions: Description[],
  ): void {
    const { data, credentials, controlTruncated, isSentAgain } = message;
    let line = `${clockTime(time)} #${connection} ${ARROWS[direction]} ${data.length} bytes`;
    if (descriptions.length > 0)
      line += `, ${descriptions.length} ${descriptions.length === 1 ? 'descriptor' : 'descriptors'}`;
    if (credentials !== undefined)
      line += `, pid ${credentials.pid} uid ${credentials.uid} gid ${credentials.gid}`;
    if (isSentAgain) line += ', sent by the page';
    if (controlTruncated) line += ', descriptors were lost (raise "ulimit -n")';
    let text = `${paint(COLOURS[direction], line)}\n`;
    for (const [index, each] of descriptions.entries())
      text += `    fd ${index}: ${printable(formatDescription(each))}\n`;
    stdout.write(text + this.dump(data));
  }

  event(
    { time, connection }: EventOrigin,
    direction: Direction | undefined,
    event: string,
    detail = '',
  ): void {
    const arrow = direction === undefined ? '' : ` ${ARROWS[direction]}`;
    const line = `${clockTime(time)} #${connection}${arrow} ${event}${detail === '' ? '' : `: ${printable(detail)}`}`;
    stdout.write(`${paint(event === 'error' || event === 'not delivered' ? 'red' : 'dim', line)}\n`);
  }
}

class JsonTraceDisplay implements TraceDisplay {
  message(
    origin: EventOrigin,
    direction: Direction,
    message: ForwardedMessage,
    descriptions: Description[],
  ): void {
    const details = { direction, ...(message.isSentAgain ? { isSentAgain: true } : {}) };
    stdout.write(formatMessage(message, origin, descriptions, details));
  }

  event(origin: EventOrigin, direction: Direction | undefined, event: string, detail = ''): void {
    const details = {
      ...(direction === undefined ? {} : { direction }),
      ...(detail === '' ? {} : { detail }),
    };
    stdout.write(formatEvent(event, origin, details));
  }
}

const DEFAULT_BYTES = 256;

export interface DisplayOptions {
  /** How many bytes of each message to show; undefined: the default. */
  bytes?: number | undefined;
  json?: boolean | undefined;
  /** Whether contents are shown as text. */
  text?: boolean | undefined;
}

export function createTraceDisplay({ bytes, json, text }: DisplayOptions): TraceDisplay {
  if (json) return new JsonTraceDisplay();
  if (text) return new TextTraceDisplay((data) => textDump(data, bytes ?? Number.POSITIVE_INFINITY));
  return new TextTraceDisplay((data) => hexDump(data, bytes ?? DEFAULT_BYTES));
}
