/** What is known of a trace or of a recording: its connections, its messages, its queues. */
import type { ConnectionFrame, EventFrame, Frame, MessageFrame } from '../../frames.js';
import { Connection } from '../connections/connection.js';
import {
  DESCRIPTORS_LOST,
  EVENTS,
  HAS_DESCRIPTORS,
  NO_DIRECTION,
  SENT_AGAIN,
  TO_CLIENT,
} from '../messages/flags.js';
import { type Bounds, MessageStore } from '../messages/store.js';
import { QueueHistory } from '../statistics/queue-history.js';
import { CredentialsTable } from './credentials-table.js';

const encoder = new TextEncoder();

export class Session {
  title: string;
  isLive: boolean;
  version = '';
  readonly store: MessageStore;
  readonly connections = new Map<number, Connection>();
  readonly credentials = new CredentialsTable();
  readonly queues = new QueueHistory();
  /** How many messages were not passed to the page. */
  leftOut = 0;
  /** The time of the newest frame. */
  now = 0;

  constructor(title: string, isLive: boolean, bounds?: Bounds) {
    this.title = title;
    this.isLive = isLive;
    this.store = new MessageStore(bounds);
  }

  accept(frame: Frame, data: Uint8Array): void {
    if ('time' in frame) this.now = Math.max(this.now, frame.time);
    switch (frame.type) {
      case 'hello':
        this.title = frame.title;
        this.isLive = frame.isLive;
        this.version = frame.version;
        break;
      case 'connection':
        this.connections.set(frame.connection, new Connection(frame, this.isLive));
        break;
      case 'message':
        this.#message(frame, data);
        break;
      case 'event':
        this.#event(frame);
        break;
      case 'queues':
        this.queues.push(frame);
        for (const { connection, client, server } of frame.queues) {
          const known = this.connections.get(connection);
          known?.setQueues({ client, server });
        }
        break;
      case 'left out':
        this.leftOut += frame.messages;
        for (const { pairing } of this.connections.values()) pairing.clear();
        break;
    }
  }

  /** Forgets all messages, and the connections that are closed. */
  clear(): void {
    this.store.clear();
    this.leftOut = 0;
    for (const [number, connection] of this.connections) {
      if (connection.state === 'closed' || connection.state === 'reset') this.connections.delete(number);
      else connection.resetTraffic();
    }
  }

  #message(frame: MessageFrame, data: Uint8Array): void {
    const { time, direction, fds } = frame;
    let flags = direction === 'to client' ? TO_CLIENT : 0;
    if (fds.length > 0) flags |= HAS_DESCRIPTORS;
    if (frame.descriptorsLost) flags |= DESCRIPTORS_LOST;
    if (frame.isSentAgain) flags |= SENT_AGAIN;
    const credentials = this.credentials.numberOf(frame.credentials);
    const number = this.store.push(
      { time, connection: frame.connection, flags, event: 0, credentials, data },
      fds,
    );
    const connection = this.#connection(frame);
    connection.count(direction, data.length);
    connection.rate.add(time);
    if (direction === 'to server') {
      connection.pairing.request(number, time);
    } else if (!frame.isSentAgain) {
      const request = connection.pairing.answer();
      if (request !== undefined) this.store.pair(request.number, number, Math.max(0, time - request.time));
    }
  }

  #event(frame: EventFrame): void {
    const { time, direction, event, detail = '' } = frame;
    this.#connection(frame).event(event, direction);
    const flags = direction === undefined ? NO_DIRECTION : direction === 'to client' ? TO_CLIENT : 0;
    this.store.push({
      time,
      connection: frame.connection,
      flags,
      event: EVENTS.indexOf(event) + 1,
      credentials: 0,
      data: encoder.encode(detail),
    });
  }

  /** A connection is unknown when its frame was left out. */
  #connection({ connection: number, time }: MessageFrame | EventFrame): Connection {
    let connection = this.connections.get(number);
    if (connection === undefined) {
      const frame: ConnectionFrame = { type: 'connection', connection: number, time, peers: 'unknown' };
      connection = new Connection(frame, this.isLive);
      this.connections.set(number, connection);
    }
    return connection;
  }
}
