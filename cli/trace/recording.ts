/** Writes connections to a pcapng file, and reads them: messages, descriptors, ends of file. */
import { createReadStream } from 'node:fs';
import type { Message } from 'seqpacket';
import type { Peer } from '../connections/peer.js';
import { type Description, formatDescription } from '../kernel/descriptors.js';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import type { Output } from '../process/output.js';
import { version } from '../process/version.js';
import type { Direction } from './forwarding.js';
import { INBOUND, OUTBOUND, PcapngError, PcapngWriter, readPcapng } from './pcapng.js';

const FLAGS = { 'to server': OUTBOUND, 'to client': INBOUND } as const;
const NO_DATA = Buffer.alloc(0);

/** The comments of packets that are events, not messages. */
const EVENTS = ['end of file', 'connection reset'] as const;

export class Recording {
  readonly #writer: PcapngWriter;
  readonly #interfaces = new Map<number, number>();

  constructor(output: Output) {
    this.#writer = new PcapngWriter(output, `seqpacket ${version}`);
  }

  /** @param peers a description of both peers */
  opened(connection: number, peers: string): void {
    this.#interfaces.set(connection, this.#writer.interface(`connection ${connection}`, peers));
  }

  closed(connection: number): void {
    this.#interfaces.delete(connection);
  }

  message(
    time: number,
    connection: number,
    direction: Direction,
    { data, credentials }: Message,
    descriptions: Description[],
    client: Peer | undefined,
  ): void {
    const comment = descriptions.map((each, index) => `descriptor ${index}: ${formatDescription(each)}`);
    // The process that connected is recorded with the connection.
    if (credentials !== undefined && credentials.pid !== client?.pid)
      comment.push(`sent by pid ${credentials.pid}, uid ${credentials.uid}, gid ${credentials.gid}`);
    this.#packet(time, connection, direction, data, comment.join('\n'));
  }

  event(time: number, connection: number, direction: Direction, event: string): void {
    if ((EVENTS as readonly string[]).includes(event))
      this.#packet(time, connection, direction, NO_DATA, event);
  }

  #packet(time: number, connection: number, direction: Direction, data: Buffer, comment: string): void {
    const number = this.#interfaces.get(connection);
    if (number !== undefined) this.#writer.packet(number, time, FLAGS[direction], data, comment);
  }
}

/** A message, or the end of a direction, of a recorded connection. */
export interface RecordedEvent {
  connection: number;
  /** Microseconds since 1970. */
  time: number;
  direction: Direction;
  /** Undefined for the end of the direction. */
  data: Buffer | undefined;
  /** One line each: `descriptor N: …`. */
  descriptors: string[];
}

/** @throws {Failure} */
export async function* readRecording(file: string): AsyncGenerator<RecordedEvent> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const packet of readPcapng(source)) {
      const connection = Number(/^connection (\d+)$/.exec(packet.interface)?.[1] ?? Number.NaN);
      if (Number.isNaN(connection)) throw new PcapngError(`the interface "${packet.interface}" is unknown`);
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
      throw new Failure(`${file} is not a recording of "seqpacket trace --write": ${error.message}`);
    }
    if (codeOf(error) !== undefined) throw cannotOpen(file, error);
    throw error;
  }
}
