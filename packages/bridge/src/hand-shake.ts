/** The frames that open a session have JSON in their bodies: terms, names, and the process for the log. */
import { MAX_WINDOW, smallestWindow } from './credit.js';
import { VERSION } from './frame.js';
import { MIN_PIECE_BYTES } from './pieces.js';

/** Milliseconds: what `deadAfter` may be. The limit of setTimeout is 2^31 ms. */
export const DEAD_AFTER = { least: 200, most: 2 ** 31 - 1 };

/** A subject that is much longer would exceed the server's max_control_line. */
export const MAX_SUBJECT_LENGTH = 255;

/** Longer reasons are cut, so that each frame is shorter than the least max_payload. */
const MAX_REASON_LENGTH = 300;

/** The local program of the other bridge, as that bridge reports it. It is not verified. */
export interface RemoteProcess {
  host: string;
  pid?: number;
  uid?: number;
}

/** What one bridge needs of the other. */
export interface Terms {
  /** The cost of pieces that it accepts before its first `credit`. */
  window: number;
  /** The longest piece that it accepts, in bytes. */
  piece: number;
  /** Milliseconds without a frame after which it ends the session. */
  deadAfter: number;
}

export interface Open extends Terms {
  version: number;
  /** The same in the logs of both bridges. */
  session: string;
  /** The subject for frames to the client. */
  toClient: string;
  client: RemoteProcess;
}

export interface Answer extends Terms {
  version: number;
  toClient: string;
  /** The subject for frames to the service. */
  toService: string;
  service: RemoteProcess;
}

export interface Refusal {
  code: string;
  reason: string;
  /** Whether another bridge of the queue group may accept. */
  retry: boolean;
}

export interface Reset {
  code: string;
  reason: string;
}

export function encodeBody(body: Open | Answer | Refusal | Reset): Buffer {
  if (!('reason' in body)) return Buffer.from(JSON.stringify(body));
  return Buffer.from(JSON.stringify({ ...body, reason: body.reason.slice(0, MAX_REASON_LENGTH) }));
}

/** @throws {RangeError} */
export function decodeOpen(body: Buffer): Open {
  const open = parse(body);
  return {
    ...version(open),
    ...terms(open),
    session: text(open, 'session', /^[\w-]{1,64}$/),
    toClient: subject(open, 'toClient'),
    client: remoteProcess(open['client']),
  };
}

/** @throws {RangeError} */
export function decodeAnswer(body: Buffer): Answer {
  const answer = parse(body);
  return {
    ...version(answer),
    ...terms(answer),
    toClient: subject(answer, 'toClient'),
    toService: subject(answer, 'toService'),
    service: remoteProcess(answer['service']),
  };
}

/** @throws {RangeError} */
export function decodeRefusal(body: Buffer): Refusal {
  const refusal = parse(body);
  return { ...reset(refusal), retry: refusal['retry'] === true };
}

/** @throws {RangeError} */
export function decodeReset(body: Buffer): Reset {
  return reset(parse(body));
}

type Fields = Record<string, unknown>;

function parse(body: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new RangeError('a body that is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new RangeError('a body that is not an object');
  return value as Fields;
}

function version(fields: Fields): { version: number } {
  if (fields['version'] === VERSION) return { version: VERSION };
  throw new RangeError(`version ${shown(fields['version'])} of the protocol, not ${VERSION}`);
}

function terms(fields: Fields): Terms {
  const piece = number(fields, 'piece', MIN_PIECE_BYTES, MAX_WINDOW);
  return {
    window: number(fields, 'window', smallestWindow(piece), MAX_WINDOW),
    piece,
    deadAfter: number(fields, 'deadAfter', DEAD_AFTER.least, DEAD_AFTER.most),
  };
}

function number(fields: Fields, name: string, least: number, most: number): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value;
  throw new RangeError(`${name} is ${shown(value)}, not ${least} to ${most}`);
}

function text(fields: Fields, name: string, pattern: RegExp): string {
  const value = fields[name];
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new RangeError(`${name} is ${shown(value)}`);
}

/** A value from another machine, for a reason. */
function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'missing';
  return json.length > 100 ? `${json.slice(0, 100)}…` : json;
}

/** A subject without wildcards. */
function subject(fields: Fields, name: string): string {
  const value = text(fields, name, /^[^\s.*>]+(\.[^\s.*>]+)*$/);
  if (value.length > MAX_SUBJECT_LENGTH) throw new RangeError(`${name} has ${value.length} characters`);
  return value;
}

function reset(fields: Fields): Reset {
  return {
    code: text(fields, 'code', /^[A-Z0-9_]{1,40}$/),
    reason: text(fields, 'reason', /^[\s\S]{0,1000}$/),
  };
}

function remoteProcess(value: unknown): RemoteProcess {
  const { host, pid, uid } = (value ?? {}) as Fields;
  return {
    host: typeof host === 'string' ? host.slice(0, 255) : 'unknown',
    ...(typeof pid === 'number' ? { pid } : {}),
    ...(typeof uid === 'number' ? { uid } : {}),
  };
}
