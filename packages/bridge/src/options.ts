/** The options of both functions, with their checks. */
import { hostname } from 'node:os';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import type { SocketPath } from 'seqpacket';
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
  /** Milliseconds without another frame after which a session sends a heartbeat; 5000 by default. */
  heartbeatEvery?: number | undefined;
  /** Milliseconds without a frame after which a session ends with an error; three heartbeats by default. */
  deadAfter?: number | undefined;
  /** The maximum number of sessions at the same time; unlimited by default. */
  maxSessions?: number | undefined;
  /** Called for each event. */
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
/** The client's own default is 20 s: too long for a server that does not answer a certificate it refuses. */
const CONNECT_TIMEOUT_MS = 5000;
export const DEFAULT_QUEUE = 'seqpacket-bridge';

/** A subject or a queue group, without wildcards and spaces. */
const NAME = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

/** @throws {TypeError} @throws {RangeError} */
export function checkedSettings(options: BridgeOptions): Settings {
  const { nats, log, heartbeatEvery = DEFAULT_HEARTBEAT_MS } = options;
  const {
    subject,
    address,
    deadAfter = 3 * heartbeatEvery,
    maxSessions = Number.POSITIVE_INFINITY,
  } = options;
  checkMilliseconds(heartbeatEvery, 'heartbeatEvery');
  checkMilliseconds(deadAfter, 'deadAfter');
  if (deadAfter < 2 * heartbeatEvery) throw new RangeError('deadAfter is less than two heartbeats');
  if (!(maxSessions >= 1)) throw new RangeError(`maxSessions is ${maxSessions}`);
  return {
    subject: checkName(subject, 'subject'),
    address,
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
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw new TypeError(
    `${what} ${JSON.stringify(name)}: words separated by dots, without spaces and wildcards`,
  );
}

function checkMilliseconds(value: number, name: string): void {
  // The limit of setTimeout is 2^31 ms.
  if (!(value >= 10 && value < 2 ** 31))
    throw new RangeError(`${name} is ${value}, not 10 to 2^31 milliseconds`);
}
