/** The frames of the protocol, written by hand, and a peer that speaks it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node';
import { listen, type SeqpacketSocket } from 'seqpacket';
import { type Bridge, type LogEvent, serveOverNats } from 'seqpacket-bridge';
import { startNats } from './nats-server.js';
import { scratchDirectory } from './programs.js';

export const OPEN = 1;
export const ANSWER = 2;
export const REFUSE = 3;
export const PIECE = 4;
export const LAST_PIECE = 5;
export const CREDIT = 6;
export const HEARTBEAT = 7;
export const END = 8;
export const DELIVERED = 9;
export const RESET = 10;

export function frame(type: number, number: number, body: Uint8Array | string = ''): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(number, 4);
  return Buffer.concat([header, Buffer.from(body as string)]);
}

export function totals(messages: number, bytes: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32BE(messages, 4);
  body.writeUInt32BE(bytes, 12);
  return body;
}

export function number64(value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(value, 4);
  return body;
}

export interface Peer {
  service: SeqpacketSocket;
  events: LogEvent[];
  /** The frames of the bridge, without heartbeats. */
  next(): Promise<{ type: number; number: number; body: Buffer }>;
  send(data: Uint8Array): void;
  ended(): Promise<Extract<LogEvent, { event: 'closed' }>>;
}

/** The body of a request for a session. */
export const OPENING = {
  version: 1,
  session: 'by-hand',
  window: 1_000_000,
  piece: 1000,
  deadAfter: 180_000,
  toClient: 'to.client',
  client: { host: 'here' } as object,
};

/** A session of `serveOverNats`, opened by hand. */
export async function session(
  t: TestContext,
  { window = 1_000_000, heartbeatEvery = 60_000, deadAfter = 180_000 } = {},
): Promise<Peer> {
  const { url } = await startNats(t);
  const address = `${scratchDirectory(t)}/service`;
  const acceptor = listen(address, { emptyMessages: 'deliver' });
  const events: LogEvent[] = [];
  let closed: (event: LogEvent) => void;
  const closing = new Promise<LogEvent>((resolve) => {
    closed = resolve;
  });
  const bridge: Bridge = await serveOverNats({
    subject: 'by.hand',
    address,
    heartbeatEvery,
    deadAfter,
    nats: { servers: url.replace('nats://', '') },
    log: (event) => {
      events.push(event);
      if (event.event === 'closed') closed(event);
    },
  });
  const nats: NatsConnection = await connectNats({ servers: url.replace('nats://', '') });
  t.after(async () => {
    await bridge.close();
    await nats.close();
    acceptor.close();
  });
  const frames = nats.subscribe('to.client');
  const iterator = frames[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const { value } = await iterator.next();
      const data = Buffer.from(value.data);
      const type = data[0] as number;
      if (type !== HEARTBEAT) return { type, number: data.readUInt32BE(4), body: data.subarray(8) };
    }
  };
  const open = { ...OPENING, window };
  nats.publish('by.hand', frame(OPEN, 0, JSON.stringify(open)), { reply: 'to.client' });
  const service = await acceptor.accept();
  t.after(() => service.close());
  const answer = await next();
  assert.deepEqual([answer.type, answer.number], [ANSWER, 0]);
  const { toService } = JSON.parse(String(answer.body));
  return {
    service,
    events,
    next,
    send: (data) => nats.publish(toService, data),
    ended: () => closing as Promise<Extract<LogEvent, { event: 'closed' }>>,
  };
}
