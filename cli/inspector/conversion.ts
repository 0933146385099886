/** Converts the frames of a page to a recording, and recordings to frames. */

import type { Description } from '../kernel/descriptors.js';
import { parseDescription } from '../kernel/descriptors.js';
import type { Output } from '../process/output.js';
import type { ForwardedMessage } from '../trace/forwarding.js';
import { parseRecording, type RecordedEvent, Recording } from '../trace/recording.js';
import { encodeFrame, type Frame, FrameReader, type MessageFrame } from './frames.js';

/** No message is that long, so that what a page sends is not kept in memory without a limit. */
const MAX_FRAME_BYTES = 64 * 1_048_576;

/** Frames that cannot be converted. */
export class MalformedFrames extends Error {}

/**
 * Writes a recording as `trace --write` does.
 *
 * @param pieces frames, in pieces of any length
 * @throws {MalformedFrames}
 */
export async function framesToRecording(pieces: AsyncIterable<Uint8Array>, output: Output): Promise<void> {
  const reader = new FrameReader();
  const exporter = new Exporter(output);
  let incomplete = 0;
  for await (const piece of pieces) {
    incomplete += piece.length;
    if (incomplete > MAX_FRAME_BYTES) throw new MalformedFrames('a frame is too long');
    try {
      reader.push(piece, (frame, data) => {
        incomplete = 0;
        exporter.frame(frame, data);
      });
    } catch (error) {
      if (error instanceof MalformedFrames) throw error;
      throw new MalformedFrames(`a frame is malformed: ${error}`);
    }
    await output.backPressure();
  }
  if (reader.hasRest) throw new MalformedFrames('the last frame is incomplete');
}

class Exporter {
  readonly #recording: Recording;
  readonly #clients = new Map<number, MessageFrame['credentials']>();

  constructor(output: Output) {
    this.#recording = new Recording(output);
  }

  frame(frame: Frame, data: Uint8Array): void {
    checkFrame(frame);
    switch (frame.type) {
      case 'connection':
        this.#clients.set(frame.connection, frame.client);
        this.#recording.opened(frame.connection, frame.peers);
        return;
      case 'message':
        this.#requireOpened(frame.connection);
        this.#recording.message(
          frame.time,
          frame.connection,
          frame.direction,
          messageOf(frame, data),
          frame.fds as Description[],
          this.#clients.get(frame.connection),
        );
        return;
      case 'event':
        this.#requireOpened(frame.connection);
        if (frame.direction !== undefined)
          this.#recording.event(frame.time, frame.connection, frame.direction, frame.event);
    }
  }

  #requireOpened(connection: number): void {
    if (!this.#clients.has(connection))
      throw new MalformedFrames(`no frame of connection ${connection} precedes its messages`);
  }
}

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

/** The types of the values that go into a recording. */
const CHECKS: Record<string, (value: unknown) => boolean> = {
  connection: isNumber,
  time: isNumber,
  direction: (value) => value === 'to server' || value === 'to client',
  peers: isText,
  event: isText,
  fds: (value) => Array.isArray(value) && value.every(isDescription),
  credentials: (value) => isObject(value) && [value['pid'], value['uid'], value['gid']].every(isNumber),
};

const REQUIRED: Record<string, readonly string[]> = {
  connection: ['connection', 'time', 'peers'],
  message: ['connection', 'time', 'direction', 'fds'],
  event: ['connection', 'time', 'event'],
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isDescription(value: unknown): boolean {
  return isObject(value) && [value['kind'], value['target'], value['access']].every(isText);
}

function checkFrame(frame: unknown): void {
  if (!isObject(frame)) throw new MalformedFrames('a frame is not an object');
  const type = String(frame['type']);
  for (const [key, isValid] of Object.entries(CHECKS)) {
    const value = frame[key];
    if (value === undefined ? REQUIRED[type]?.includes(key) : !isValid(value))
      throw new MalformedFrames(`"${key}" of a frame of type "${type}" is malformed`);
  }
}

function messageOf(
  { credentials, descriptorsLost, isSentAgain }: MessageFrame,
  data: Uint8Array,
): ForwardedMessage {
  return {
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    fds: [],
    controlTruncated: descriptorsLost === true,
    ...(credentials === undefined ? {} : { credentials }),
    ...(isSentAgain === true ? { isSentAgain } : {}),
  };
}

/**
 * Writes the frames of a recording.
 *
 * @throws {Failure} if it is malformed
 */
export async function recordingToFrames(pieces: AsyncIterable<Buffer>, output: Output): Promise<void> {
  for await (const bytes of framesOf(parseRecording(pieces, 'the file'))) {
    output.write(bytes);
    await output.backPressure();
  }
}

/** The frames of recorded events. The frame of a connection precedes its first event. */
export async function* framesOf(events: AsyncIterable<RecordedEvent>): AsyncGenerator<Uint8Array> {
  const opened = new Set<number>();
  for await (const { connection, time, direction, peers, data, event, ...more } of events) {
    if (!opened.has(connection)) {
      opened.add(connection);
      yield encodeFrame({ type: 'connection', connection, time, peers });
    }
    if (data === undefined) {
      if (event !== undefined) yield encodeFrame({ type: 'event', connection, time, direction, event });
      continue;
    }
    const fds = more.descriptors.map((line) => parseDescription(line.replace(/^descriptor \d+: /, '')));
    const { credentials, isSentAgain } = more;
    const details = { ...(credentials && { credentials }), ...(isSentAgain && { isSentAgain }) };
    yield encodeFrame({ type: 'message', connection, time, direction, fds, ...details }, data);
  }
}
