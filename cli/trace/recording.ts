/** Writes connections to a pcapng file, and reads them: messages, descriptors, ends of file. */
import { createReadStream } from 'node:fs';
import type { Peer } from '../connections/peer.js';
import { type Description, formatDescription } from '../kernel/descriptors.js';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import type { Output } from '../process/output.js';
import { printable } from '../process/terminal.js';
import { version } from '../process/version.js';
import type { Direction, ForwardedMessage } from './forwarding.js';
import { INBOUND, OUTBOUND, PcapngError, PcapngWriter, readPcapng } from './pcapng.js';

const FLAGS = { 'to server': OUTBOUND, 'to client': INBOUND } as const;
const NO_DATA = Buffer.alloc(0);

/** The comments of packets that are events, not messages. */
const EVENTS = ['end of file', 'connection reset'] as const;

/** The line of the comment of a message that a page of the inspector has sent. */
const SENT_AGAIN = 'sent by the page';

const SENDER = /^sent by pid (\d+), uid (\d+), gid (\d+)$/;

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
    { data, credentials, isSentAgain }: ForwardedMessage,
    descriptions: Description[],
    client: Peer | undefined,
  ): void {
    const comment = descriptions.map(
      (each, index) => `descriptor ${index}: ${printable(formatDescription(each))}`,
    );
    // The process that connected is recorded with the connection.
    if (credentials !== undefined && credentials.pid !== client?.pid)
      comment.push(`sent by pid ${credentials.pid}, uid ${credentials.uid}, gid ${credentials.gid}`);
    if (isSentAgain) comment.push(SENT_AGAIN);
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
  /** One line about both ends of the connection. */
  peers: string;
  /** Undefined for the end of the direction. */
  data: Buffer | undefined;
  /** How the direction has ended; undefined for a message. */
  event: (typeof EVENTS)[number] | undefined;
  /** One line each: `descriptor N: …`. */
  descriptors: string[];
  /** Only if the sender is not the process that connected. */
  credentials: Peer | undefined;
  /** Whether the page of the inspector has sent the message. */
  isSentAgain: boolean;
}

/** @throws {Failure} */
export function readRecording(file: string): AsyncGenerator<RecordedEvent> {
  return parseRecording(file === '-' ? process.stdin : createReadStream(file), file);
}

/**
 * @param pieces the bytes of the recording
 * @param file its name, for errors
 * @throws {Failure}
 */
export async function* parseRecording(
  pieces: AsyncIterable<Buffer>,
  file: string,
): AsyncGenerator<RecordedEvent> {
  try {
    for await (const packet of readPcapng(pieces)) {
      const connection = Number(/^connection (\d+)$/.exec(packet.interface)?.[1] ?? Number.NaN);
      if (Number.isNaN(connection)) throw new PcapngError(`the interface "${packet.interface}" is unknown`);
      const lines = packet.comment.split('\n');
      const event = packet.data.length > 0 ? undefined : EVENTS.find((each) => each === packet.comment);
      const sender = lines.map((line) => SENDER.exec(line)).find((match) => match !== null);
      yield {
        connection,
        time: packet.time,
        direction: (packet.flags & 3) === INBOUND ? 'to client' : 'to server',
        peers: packet.description,
        data: event === undefined ? packet.data : undefined,
        event,
        descriptors: lines.filter((line) => line.startsWith('descriptor ')),
        credentials: sender && { pid: Number(sender[1]), uid: Number(sender[2]), gid: Number(sender[3]) },
        isSentAgain: lines.includes(SENT_AGAIN),
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
