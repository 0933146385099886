/** What the page knows about one connection. */
import type { ConnectionFrame, Direction, EndDescription, EventFrame } from '../../frames.js';
import { Pairing } from '../messages/pairing.js';
import { Rate } from '../statistics/rate.js';

export type ConnectionState = 'open' | 'half-closed' | 'reset' | 'closed';

interface Traffic {
  messages: number;
  bytes: number;
}

export class Connection {
  readonly number: number;
  /** Microseconds since 1970. */
  readonly opened: number;
  readonly client: EndDescription | undefined;
  readonly server: EndDescription | undefined;
  /** One line about both ends. */
  readonly peers: string;
  readonly rate: Rate;
  readonly pairing = new Pairing();
  state: ConnectionState = 'open';
  traffic: Record<Direction, Traffic> = noTraffic();
  /** Bytes that wait to be received, if they are known. */
  queues: { client: number; server: number } | undefined;
  readonly #ended = new Set<Direction>();

  constructor({ connection, time, client, server, peers }: ConnectionFrame, isLive: boolean) {
    this.number = connection;
    this.opened = time;
    this.client = client;
    this.server = server;
    this.peers = peers;
    this.rate = new Rate(isLive);
  }

  count(direction: Direction, bytes: number): void {
    this.traffic[direction].messages++;
    this.traffic[direction].bytes += bytes;
  }

  resetTraffic(): void {
    this.traffic = noTraffic();
  }

  event(event: EventFrame['event'], direction: Direction | undefined): void {
    if (this.state === 'closed') return;
    if (event === 'closed') {
      if (this.state !== 'reset') this.state = 'closed';
      this.queues = undefined;
    } else if (event === 'connection reset') {
      this.state = 'reset';
      this.queues = undefined;
    } else if (event === 'end of file' && direction !== undefined && this.state !== 'reset') {
      this.#ended.add(direction);
      this.state = this.#ended.size === 2 ? 'closed' : 'half-closed';
      if (this.state === 'closed') this.queues = undefined;
    }
  }

  /** A report can come after the end of the connection, because the kernel was asked before. */
  setQueues(queues: { client: number; server: number }): void {
    if (this.state === 'open' || this.state === 'half-closed') this.queues = queues;
  }

  /** Whether a message can still be sent in that direction. */
  canSend(direction: Direction): boolean {
    return (this.state === 'open' || this.state === 'half-closed') && !this.#ended.has(direction);
  }
}

function noTraffic(): Record<Direction, Traffic> {
  return { 'to server': { messages: 0, bytes: 0 }, 'to client': { messages: 0, bytes: 0 } };
}
