/** The frames of some rows, as the server wants them for an export. */
import { type ConnectionFrame, type EventFrame, encodeFrame, type MessageFrame } from '../../frames.js';
import { DESCRIPTORS_LOST, directionOf, EVENTS, NO_DIRECTION, SENT_AGAIN } from '../messages/flags.js';
import type { Session } from './session.js';

export class RowEncoder {
  readonly #session: Session;
  readonly #connections = new Set<number>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** The frame of a row, after that of its connection if that has not been encoded yet. */
  encode(number: number): Uint8Array<ArrayBuffer>[] {
    const { store } = this.#session;
    const connection = store.connection(number);
    const result: Uint8Array<ArrayBuffer>[] = [];
    if (!this.#connections.has(connection)) {
      this.#connections.add(connection);
      result.push(
        encodeFrame(this.#connectionFrame(connection, store.time(number))) as Uint8Array<ArrayBuffer>,
      );
    }
    const isMessage = store.event(number) === 0;
    const frame = isMessage ? this.#messageFrame(number) : this.#eventFrame(number);
    const data = isMessage ? store.data(number) : undefined;
    result.push(encodeFrame(frame, data) as Uint8Array<ArrayBuffer>);
    return result;
  }

  #connectionFrame(number: number, time: number): ConnectionFrame {
    const known = this.#session.connections.get(number);
    return {
      type: 'connection',
      connection: number,
      time: known?.opened ?? time,
      ...(known?.client === undefined ? {} : { client: known.client }),
      ...(known?.server === undefined ? {} : { server: known.server }),
      peers: known?.peers ?? 'unknown',
    };
  }

  #messageFrame(number: number): MessageFrame {
    const { store, credentials } = this.#session;
    const flags = store.flags(number);
    const sender = credentials.get(store.credentials(number));
    return {
      type: 'message',
      connection: store.connection(number),
      time: store.time(number),
      direction: directionOf(flags),
      fds: [...store.descriptors(number)],
      ...(sender === undefined ? {} : { credentials: sender }),
      ...((flags & DESCRIPTORS_LOST) === 0 ? {} : { descriptorsLost: true }),
      ...((flags & SENT_AGAIN) === 0 ? {} : { isSentAgain: true }),
    };
  }

  #eventFrame(number: number): EventFrame {
    const { store } = this.#session;
    const flags = store.flags(number);
    const detail = new TextDecoder().decode(store.data(number));
    return {
      type: 'event',
      connection: store.connection(number),
      time: store.time(number),
      ...((flags & NO_DIRECTION) === 0 ? { direction: directionOf(flags) } : {}),
      event: EVENTS[store.event(number) - 1]!,
      ...(detail === '' ? {} : { detail }),
    };
  }
}
