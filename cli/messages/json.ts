/** Messages and events as lines of JSON. */
import { isUtf8 } from 'node:buffer';
import type { Message } from 'seqpacket';
import type { Description } from '../kernel/descriptors.js';
import { isoTime } from '../process/clock.js';
import { Failure } from '../process/failure.js';
import { decodeBase64, decodeHex } from './encodings.js';
import type { EventOrigin, Outgoing } from './message.js';

const KEYS = ['data', 'hex', 'base64', 'fds', 'connection'];

/** @throws {Failure} if the line is not a message */
export function parseMessage(line: string): Outgoing {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Failure('not JSON; a message is {"data": "text"}');
  }
  if (typeof value === 'string') return { data: Buffer.from(value), fds: [] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure('not a message; a message is {"data": "text"}, or a string');
  }
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new Failure(`"${unknown}" is unknown; the keys of a message are ${KEYS.join(', ')}`);
  }
  const { data, hex, base64, fds = [], connection } = value as Record<string, unknown>;
  const contents = [data, hex, base64].filter((each) => each !== undefined);
  if (contents.length !== 1 || typeof contents[0] !== 'string') {
    throw new Failure('a message needs exactly one of "data", "hex", "base64", as a string');
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
        ? decodeHex(hex as string)
        : decodeBase64(base64 as string);
  return { data: bytes, fds, connection: connection as number | undefined };
}

/** @param details further properties */
export function formatEvent(event: string, { time, connection }: EventOrigin, details: object): string {
  return `${JSON.stringify({ event, time: isoTime(time), connection, ...details })}\n`;
}

/**
 * @param fds the description of each descriptor
 * @param details properties before those of the message
 */
export function formatMessage(
  { data, credentials, controlTruncated }: Message,
  origin: EventOrigin,
  fds: readonly (Description & { fd?: number | undefined })[],
  details: object = {},
): string {
  return formatEvent('message', origin, {
    ...details,
    size: data.length,
    // As text if it is UTF-8, as base64 otherwise.
    ...(isUtf8(data) ? { data: String(data) } : { base64: data.toString('base64') }),
    fds,
    ...(credentials === undefined ? {} : { credentials }),
    ...(controlTruncated ? { descriptorsLost: true } : {}),
  });
}
