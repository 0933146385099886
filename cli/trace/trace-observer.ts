/** The interface through which `trace` passes the traffic on, for example to the inspector. */
import type { SeqpacketSocket } from 'seqpacket';
import type { Peer } from '../connections/peer.js';
import type { Description } from '../kernel/descriptors.js';
import type { EventOrigin } from '../messages/message.js';
import type { Direction, ForwardedMessage, Forwarding } from './forwarding.js';

/** What is known of a connection when it opens. */
export interface OpenedConnection {
  client: Peer | undefined;
  server: Peer | undefined;
  /** One line about both ends. */
  peers: string;
  /** Undefined if the connection to the service failed. */
  link?: Link;
}

/** An open connection. */
export interface Link {
  client: SeqpacketSocket;
  server: SeqpacketSocket;
  forwarding: Forwarding;
}

/** The calls must not throw, and must not wait: the connection continues after they return. */
export interface TraceObserver {
  /** Clients can connect. */
  listening(): void;
  opened(origin: EventOrigin, connection: OpenedConnection): void;
  /** The descriptors of the message are closed afterwards. */
  message(
    origin: EventOrigin,
    direction: Direction,
    message: ForwardedMessage,
    descriptions: Description[],
  ): void;
  /** @param direction undefined for an event of the whole connection */
  event(
    origin: EventOrigin,
    direction: Direction | undefined,
    event: 'end of file' | 'connection reset' | 'not delivered' | 'error' | 'closed',
    detail?: string,
  ): void;
}
