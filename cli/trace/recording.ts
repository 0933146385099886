/** Recorded connections as a pcapng file: how messages, descriptors and ends are put there, and found again. */
import { createReadStream } from 'node:fs';
import type { Message } from 'seqpacket';
import { type Description, inWords } from '../kernel/descriptors.js';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import type { Output } from '../process/output.js';
import { version } from '../process/version.js';
import type { Direction } from './forwarding.js';
import { INBOUND, OUTBOUND, PcapngError, PcapngWriter, readPcapng } from './pcapng.js';

const FLAGS = { 'to server': OUTBOUND, 'to client': INBOUND } as const;
const NOTHING = Buffer.alloc(0);

/** The comments of packets that are no messages. */
const EVENTS = ['end of file', 'connection reset'] as const;

export class Recording {
  readonly #writer: PcapngWriter;
  readonly #interfaces = new Map<number, number>();

  constructor(output: Output) {
    this.#writer = new PcapngWriter(output, `seqpacket ${version}`);
  }

  /** @param who the two ends, in words */
  opened(connection: number, who: string): void {
    this.#interfaces.set(connection, this.#writer.interface(`connection ${connection}`, who));
  }

  closed(connection: number): void {
    this.#interfaces.delete(connection);
  }

  message(
    time: number,
    connection: number,
    direction: Direction,
    { data, credentials }: Message,
    what: Description[],
    mayBeWrittenBy: { pid: number; uid: number; gid: number } | undefined,
  ): void {
    const comment = what.map((each, index) => `descriptor ${index}: ${inWords(each)}`);
    // Of each connection it is recorded who has made it.
    const isKnown = credentials === undefined || credentials.pid === mayBeWrittenBy?.pid;
    if (!isKnown)
      comment.push(`sent by pid ${credentials.pid}, uid ${credentials.uid}, gid ${credentials.gid}`);
    this.#packet(time, connection, direction, data, comment.join('\n'));
  }

  event(time: number, connection: number, direction: Direction, event: string): void {
    if ((EVENTS as readonly string[]).includes(event))
      this.#packet(time, connection, direction, NOTHING, event);
  }

  #packet(time: number, connection: number, direction: Direction, data: Buffer, comment: string): void {
    const number = this.#interfaces.get(connection);
    if (number !== undefined) this.#writer.packet(number, time, FLAGS[direction], data, comment);
  }
}

/** One message, or the end of a direction, of a recorded connection. */
export interface Recorded {
  connection: number;
  /** Microseconds since 1970. */
  time: number;
  direction: Direction;
  /** Undefined for the end. */
  data: Buffer | undefined;
  /** In words, one line each. */
  descriptors: string[];
}

/** @throws {Failure} */
export async function* readRecording(file: string): AsyncGenerator<Recorded> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const packet of readPcapng(source)) {
      const connection = Number(/^connection (\d+)$/.exec(packet.interface)?.[1] ?? Number.NaN);
      if (Number.isNaN(connection)) throw new PcapngError(`what is "${packet.interface}"?`);
      const lines = packet.comment.split('\n');
      const isEnd = packet.data.length === 0 && (EVENTS as readonly string[]).includes(packet.comment);
      yield {
        connection,
        time: packet.time,
        direction: (packet.flags & 3) === INBOUND ? 'to client' : 'to server',
        data: isEnd ? undefined : packet.data,
        descriptors: lines.filter((line) => line.startsWith('descriptor ')),
      };
    }
  } catch (error) {
    if (error instanceof PcapngError) {
      throw new Failure(`${file} is no recording of "seqpacket trace --write": ${error.message}`);
    }
    if (codeOf(error) !== undefined) throw cannotOpen(file, error);
    throw error;
  }
}
