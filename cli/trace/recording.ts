/** Writes connections to a pcapng file, and reads them: peers, messages, descriptors, events. */
import { createReadStream } from 'node:fs';
import type { Peer } from '../connections/peer.js';
import { type Description, formatWholeDescription, parseDescription } from '../kernel/descriptors.js';
import type { EventOrigin } from '../messages/message.js';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import type { Output } from '../process/output.js';
import { offStop, onStop, stopSignal } from '../process/stopping.js';
import { printable } from '../process/terminal.js';
import { version } from '../process/version.js';
import type { Direction, ForwardedMessage } from './forwarding.js';
import { INBOUND, type Interface, OUTBOUND, PcapngError, PcapngWriter, readPcapng } from './pcapng.js';

const FLAGS = { 'to server': OUTBOUND, 'to client': INBOUND } as const;
const NO_DATA = Buffer.alloc(0);

/** The comments of packets that are events, not messages; details follow a colon. */
const EVENTS = ['end of file', 'connection reset', 'not delivered'] as const;

const DESCRIPTORS_LOST = 'descriptors were lost';

/** The line of the comment of a message that a page of the inspector has sent. */
const SENT_AGAIN = 'sent by the page';

export class Recording {
  readonly #writer: PcapngWriter;
  /** By connection: the number of the interface, and the time when it opened. */
  readonly #interfaces = new Map<number, { number: number; start: number | undefined }>();

  constructor(output: Output) {
    this.#writer = new PcapngWriter(output, `seqpacket ${version}`);
  }

  /**
   * @param peers a description of both peers
   * @param time undefined: unknown
   * @param client the sender of all messages to the server that name no other sender
   */
  opened(connection: number, peers: string, time?: number, client?: Peer): void {
    const comment = client === undefined ? '' : `client ${formatCredentials(client)}`;
    const number = this.#writer.interface(`connection ${connection}`, peers, comment);
    this.#interfaces.set(connection, { number, start: time });
    if (time !== undefined) this.#writer.statistics(number, time, time);
  }

  /** @param time undefined: unknown */
  closed(connection: number, time?: number): void {
    const known = this.#interfaces.get(connection);
    this.#interfaces.delete(connection);
    if (known !== undefined && time !== undefined)
      this.#writer.statistics(known.number, time, known.start, time);
  }

  message(
    time: number,
    connection: number,
    direction: Direction,
    { data, credentials, controlTruncated, isSentAgain }: ForwardedMessage,
    descriptions: readonly Description[],
    client: Peer | undefined,
  ): void {
    // The path of a file can contain line feeds.
    const comment = descriptions.map(
      (each, index) => `descriptor ${index}: ${printable(formatWholeDescription(each))}`,
    );
    if (controlTruncated) comment.push(DESCRIPTORS_LOST);
    // The process that connected is recorded with the connection.
    if (credentials !== undefined && credentials.pid !== client?.pid)
      comment.push(`sent by ${formatCredentials(credentials)}`);
    if (isSentAgain) comment.push(SENT_AGAIN);
    this.#packet(time, connection, direction, data, comment.join('\n'));
  }

  event(time: number, connection: number, direction: Direction, event: string, detail = ''): void {
    if ((EVENTS as readonly string[]).includes(event))
      this.#packet(time, connection, direction, NO_DATA, detail === '' ? event : `${event}: ${detail}`);
  }

  #packet(time: number, connection: number, direction: Direction, data: Buffer, comment: string): void {
    const known = this.#interfaces.get(connection);
    if (known !== undefined) this.#writer.packet(known.number, time, FLAGS[direction], data, comment);
  }
}

function formatCredentials({ pid, uid, gid }: Peer): string {
  return `pid ${pid}, uid ${uid}, gid ${gid}`;
}

function parseCredentials(text: string): Peer | undefined {
  const [, pid, uid, gid] = /\bpid (\d+), uid (\d+), gid (\d+)$/.exec(text) ?? [];
  return gid === undefined ? undefined : { pid: Number(pid), uid: Number(uid), gid: Number(gid) };
}

export interface RecordedOpening extends EventOrigin {
  type: 'opened';
  /** The description of both peers. */
  peers: string;
  client: Peer | undefined;
}

export interface RecordedMessage extends EventOrigin {
  type: 'message';
  direction: Direction;
  /** Without descriptors. */
  message: ForwardedMessage;
  /** The descriptors that it had. */
  descriptions: Description[];
}

export interface RecordedEvent extends EventOrigin {
  type: 'event';
  direction: Direction;
  event: (typeof EVENTS)[number];
  detail: string;
}

export interface RecordedClosing extends EventOrigin {
  type: 'closed';
}

export type Recorded = RecordedOpening | RecordedMessage | RecordedEvent | RecordedClosing;

/**
 * Reads a recording in its order.
 *
 * A connection without a recorded opening time opens at its first packet. There is no `closed` for a connection that
 * was open when the recording ended.
 *
 * @param file `-` for standard input
 * @throws {Failure}
 */
export async function* readRecording(file: string): AsyncGenerator<Recorded> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  const close = () => source.destroy();
  onStop(close);
  try {
    yield* parseRecording(source);
  } catch (error) {
    if (stopSignal.aborted) return;
    if (error instanceof PcapngError) {
      throw new Failure(`${file} is not a recording of "seqpacket trace --write": ${error.message}`);
    }
    if (codeOf(error) !== undefined) throw cannotOpen(file, error);
    throw error;
  } finally {
    offStop(close);
  }
}

/**
 * @param pieces the bytes of a recording, in pieces of any length
 * @throws {PcapngError}
 */
export async function* parseRecording(pieces: AsyncIterable<Buffer>): AsyncGenerator<Recorded> {
  const openings = new Map<Interface, { connection: number; client: Peer | undefined; isOpen: boolean }>();
  for await (const block of readPcapng(pieces)) {
    const { name, description, comment } = block.interface;
    if (block.type === 'interface') {
      const connection = Number(/^connection (\d+)$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(connection)) throw new PcapngError(`the interface "${name}" is unknown`);
      openings.set(block.interface, { connection, client: parseCredentials(comment), isOpen: false });
      continue;
    }
    const opening = openings.get(block.interface)!;
    const { connection, client } = opening;
    const time = block.type === 'packet' ? block.time : (block.start ?? block.end);
    if (!opening.isOpen && time !== undefined) {
      opening.isOpen = true;
      yield { type: 'opened', connection, time, peers: description, client };
    }
    if (block.type === 'packet') {
      yield parsePacket(block, connection, client);
    } else if (block.end !== undefined) {
      yield { type: 'closed', connection, time: block.end };
    }
  }
}

function parsePacket(
  { time, flags, data, comment }: { time: number; flags: number; data: Buffer; comment: string },
  connection: number,
  client: Peer | undefined,
): RecordedMessage | RecordedEvent {
  const direction = (flags & 3) === INBOUND ? 'to client' : 'to server';
  const origin = { connection, time, direction } as const;
  if (data.length === 0) {
    const event = EVENTS.find((each) => comment === each || comment.startsWith(`${each}: `));
    if (event !== undefined)
      return { type: 'event', ...origin, event, detail: comment.slice(event.length + 2) };
  }
  const lines = comment.split('\n');
  const sender = lines.find((line) => line.startsWith('sent by pid '));
  const isSentAgain = lines.includes(SENT_AGAIN);
  const known = direction === 'to server' && !isSentAgain ? client : undefined;
  const credentials = sender === undefined ? known : parseCredentials(sender);
  return {
    type: 'message',
    ...origin,
    message: {
      data,
      fds: [],
      controlTruncated: lines.includes(DESCRIPTORS_LOST),
      ...(credentials === undefined ? {} : { credentials }),
      ...(isSentAgain ? { isSentAgain } : {}),
    },
    descriptions: lines
      .filter((line) => line.startsWith('descriptor '))
      .map((line) => parseDescription(line.slice(line.indexOf(': ') + 2))),
  };
}
