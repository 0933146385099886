/** What `trace` shows of each message: for people, or as JSON. */
import type { Message } from 'seqpacket';
import { type Description, inWords } from '../kernel/descriptors.js';
import { dataAsJson } from '../messages/framing.js';
import { clockTime, isoTime } from '../process/clock.js';
import { stdout } from '../process/output.js';
import { paint, printable } from '../process/terminal.js';
import type { Direction } from './forwarding.js';
import { hexDump } from './hex-dump.js';

/** When and on which connection it happened. */
export interface Moment {
  /** Microseconds since 1970. */
  time: number;
  connection: number;
}

export interface TraceView {
  message(moment: Moment, direction: Direction, message: Message, what: Description[]): void;
  /** @param direction of connections as a whole undefined */
  event(moment: Moment, direction: Direction | undefined, event: string, detail?: string): void;
}

const ARROWS = { 'to server': '->', 'to client': '<-' } as const;
const COLOURS = { 'to server': 'green', 'to client': 'blue' } as const;

export class TextView implements TraceView {
  /** @param most how many bytes of each message to show */
  constructor(private readonly most: number) {}

  message({ time, connection }: Moment, direction: Direction, message: Message, what: Description[]): void {
    const { data, credentials, controlTruncated } = message;
    let line = `${clockTime(time)} #${connection} ${ARROWS[direction]} ${data.length} bytes`;
    if (what.length > 0) line += `, ${what.length} ${what.length === 1 ? 'descriptor' : 'descriptors'}`;
    if (credentials !== undefined)
      line += `, pid ${credentials.pid} uid ${credentials.uid} gid ${credentials.gid}`;
    if (controlTruncated) line += ', descriptors were lost (raise "ulimit -n")';
    let text = `${paint(COLOURS[direction], line)}\n`;
    for (const [index, each] of what.entries()) text += `    fd ${index}: ${printable(inWords(each))}\n`;
    stdout.write(text + hexDump(data, this.most));
  }

  event({ time, connection }: Moment, direction: Direction | undefined, event: string, detail = ''): void {
    const arrow = direction === undefined ? '' : ` ${ARROWS[direction]}`;
    const line = `${clockTime(time)} #${connection}${arrow} ${event}${detail === '' ? '' : `: ${printable(detail)}`}`;
    stdout.write(`${paint(event === 'error' || event === 'not delivered' ? 'red' : 'dim', line)}\n`);
  }
}

export class JsonView implements TraceView {
  message({ time, connection }: Moment, direction: Direction, message: Message, what: Description[]): void {
    const { data, credentials, controlTruncated } = message;
    this.#line({
      event: 'message',
      time: isoTime(time),
      connection,
      direction,
      size: data.length,
      ...dataAsJson(data),
      fds: what,
      ...(credentials === undefined ? {} : { credentials }),
      ...(controlTruncated ? { descriptorsLost: true } : {}),
    });
  }

  event({ time, connection }: Moment, direction: Direction | undefined, event: string, detail = ''): void {
    this.#line({
      event,
      time: isoTime(time),
      connection,
      ...(direction === undefined ? {} : { direction }),
      ...(detail === '' ? {} : { detail }),
    });
  }

  #line(value: object): void {
    stdout.write(`${JSON.stringify(value)}\n`);
  }
}
