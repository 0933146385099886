/** The options of both functions, with their checks. */
import { hostname } from 'node:os';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import type { SocketPath } from 'seqpacket';
import { DEAD_AFTER, MAX_SUBJECT_LENGTH } from './hand-shake.js';
import type { LogEvent } from './log.js';

export interface BridgeOptions {
  /** The subject of the service, without wildcards. */
  subject: string;
  /** `serve`: the address of the local service. `join`: the address to listen at. */
  address: SocketPath;
  /**
   * How to connect to NATS: servers, TLS, credentials, as the client takes them. The bridge reconnects without limit
   * unless `maxReconnectAttempts` is set, and waits 5 s for a server unless `timeout` is set.
   */
  nats?: NodeConnectionOptions | undefined;
  /** Milliseconds without another frame after which a session sends a heartbeat; 5000 by default, at least 100. */
  heartbeatEvery?: number | undefined;
  /** Milliseconds without a frame after which a session ends with an error; three heartbeats by default, at least two. */
  deadAfter?: number | undefined;
  /** The maximum number of sessions at the same time; unlimited by default. */
  maxSessions?: number | undefined;
  /** Called for each event. An error that it throws is an uncaught exception of the process. */
  log?: ((event: LogEvent) => void) | undefined;
}

export interface ServeOptions extends BridgeOptions {
  /** The queue group; `seqpacket-bridge` by default. Bridges of one group share the sessions of a subject. */
  queue?: string | undefined;
}

export interface JoinOptions extends BridgeOptions {
  /** The permissions of the socket file, for example `0o660`. */
  mode?: number | undefined;
}

/** The options of a bridge, checked and complete. */
export interface Settings {
  subject: string;
  address: SocketPath;
  nats: NodeConnectionOptions;
  heartbeatEvery: number;
  deadAfter: number;
  maxSessions: number;
  log(event: LogEvent): void;
  host: string;
}

const DEFAULT_HEARTBEAT_MS = 5000;
/** Half of what the protocol allows `deadAfter` to be. */
const MIN_HEARTBEAT_MS = DEAD_AFTER.least / 2;
/** The client's own default is 20 s: too long for a server that does not answer a certificate it refuses. */
const CONNECT_TIMEOUT_MS = 5000;
export const DEFAULT_QUEUE = 'seqpacket-bridge';

/** A subject or a queue group, without wildcards and spaces. */
const NAME = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

/** @throws {TypeError} @throws {RangeError} */
export function checkedSettings(options: BridgeOptions): Settings {
  const { subject, address, nats, log, maxSessions = Number.POSITIVE_INFINITY } = options;
  const heartbeatEvery = milliseconds(options.heartbeatEvery ?? DEFAULT_HEARTBEAT_MS, 'heartbeatEvery');
  const deadAfter = milliseconds(options.deadAfter ?? 3 * heartbeatEvery, 'deadAfter');
  if (deadAfter < 2 * heartbeatEvery) throw new RangeError('deadAfter is less than two heartbeats');
  const isCount = Number.isInteger(maxSessions) || maxSessions === Number.POSITIVE_INFINITY;
  if (!isCount || maxSessions < 1) throw new RangeError(`maxSessions is ${maxSessions}`);
  if (log !== undefined && typeof log !== 'function') throw new TypeError('log is not a function');
  if (nats?.inboxPrefix !== undefined) checkName(nats.inboxPrefix, 'inboxPrefix');
  return {
    subject: checkName(subject, 'subject'),
    address: checkAddress(address),
    nats: { maxReconnectAttempts: -1, pingInterval: heartbeatEvery, timeout: CONNECT_TIMEOUT_MS, ...nats },
    heartbeatEvery,
    deadAfter,
    maxSessions,
    log: log ?? (() => {}),
    host: hostname(),
  };
}

/** @throws {TypeError} */
export function checkName(name: unknown, what: string): string {
  if (typeof name === 'string' && name.length <= MAX_SUBJECT_LENGTH && NAME.test(name)) return name;
  throw new TypeError(
    `${what} ${JSON.stringify(name)}: words separated by dots, without spaces and wildcards, ${MAX_SUBJECT_LENGTH} characters at most`,
  );
}

/** Before there is a connection to NATS. The library checks the rest. */
function checkAddress(address: SocketPath): SocketPath {
  const isKnown = typeof address === 'string' || address instanceof Uint8Array;
  if (isKnown && address.length > 0) return address;
  throw new TypeError('address is not a path or an abstract name');
}

function milliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} is not a number`);
  if (value >= MIN_HEARTBEAT_MS && value <= DEAD_AFTER.most) return Math.round(value);
  throw new RangeError(`${name} is ${value}, not ${MIN_HEARTBEAT_MS} to ${DEAD_AFTER.most} milliseconds`);
}
