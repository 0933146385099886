/** Converts the frames of a page to a recording, and recordings to frames. */

import type { Description } from '../kernel/descriptors.js';
import { Failure } from '../process/failure.js';
import type { Output } from '../process/output.js';
import type { ForwardedMessage } from '../trace/forwarding.js';
import { PcapngError } from '../trace/pcapng.js';
import { parseRecording, type Recorded, Recording } from '../trace/recording.js';
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
        this.#recording.opened(frame.connection, frame.peers, frame.time, frame.client);
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
        if (frame.event === 'closed') this.#recording.closed(frame.connection, frame.time);
        else if (frame.direction !== undefined)
          this.#recording.event(frame.time, frame.connection, frame.direction, frame.event, frame.detail);
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
  detail: isText,
  fds: (value) => Array.isArray(value) && value.every(isDescription),
  client: isPeer,
  credentials: isPeer,
};

const REQUIRED: Record<string, readonly string[]> = {
  connection: ['connection', 'time', 'peers'],
  message: ['connection', 'time', 'direction', 'fds'],
  event: ['connection', 'time', 'event'],
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isPeer(value: unknown): boolean {
  return isObject(value) && [value['pid'], value['uid'], value['gid']].every(isNumber);
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
  try {
    for await (const bytes of framesOf(parseRecording(pieces))) {
      output.write(bytes);
      await output.backPressure();
    }
  } catch (error) {
    if (!(error instanceof PcapngError)) throw error;
    throw new Failure(`the file is not a recording of "seqpacket trace --write": ${error.message}`);
  }
}

/** The frames of what was recorded. */
export async function* framesOf(recording: AsyncIterable<Recorded>): AsyncGenerator<Uint8Array> {
  for await (const recorded of recording) {
    const { connection, time } = recorded;
    switch (recorded.type) {
      case 'opened': {
        const { peers, client } = recorded;
        const end = client && { client: { ...client, user: '', command: '' } };
        yield encodeFrame({ type: 'connection', connection, time, peers, ...end });
        break;
      }
      case 'message': {
        const { direction, message, descriptions } = recorded;
        const { data, credentials, isSentAgain, controlTruncated } = message;
        const details = {
          ...(credentials && { credentials }),
          ...(isSentAgain && { isSentAgain }),
          ...(controlTruncated && { descriptorsLost: true }),
        };
        yield encodeFrame(
          { type: 'message', connection, time, direction, fds: descriptions, ...details },
          data,
        );
        break;
      }
      case 'event': {
        const { direction, event, detail } = recorded;
        yield encodeFrame({ type: 'event', connection, time, direction, event, ...(detail && { detail }) });
        break;
      }
      case 'closed':
        yield encodeFrame({ type: 'event', connection, time, event: 'closed' });
    }
  }
}
