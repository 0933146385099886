/** Shows a live trace. */

import type { Peer } from '../connections/peer.js';
import type { Description } from '../kernel/descriptors.js';
import { commandOf, userNameOf } from '../kernel/processes.js';
import type { EventOrigin } from '../messages/message.js';
import { codeOf, reasonOf } from '../process/failure.js';
import { printRemark } from '../process/terminal.js';
import type { Direction, ForwardedMessage } from '../trace/forwarding.js';
import type { Link, OpenedConnection, TraceObserver } from '../trace/trace-observer.js';
import { type EndDescription, type EventFrame, encodeFrame, type MessageFrame } from './frames.js';
import { History } from './history.js';
import { InspectorServer } from './inspector-server.js';
import { QueueWatch } from './queue-watch.js';
import { type PageStream, RequestError, type Subject } from './subject.js';

const HISTORY_BYTES = 64 * 1_048_576;

export class LiveInspector implements Subject, TraceObserver {
  readonly isLive = true;
  readonly #history = new History(HISTORY_BYTES, () => this.#wakePages());
  readonly #links = new Map<number, Link>();
  readonly #pages = new Map<PageStream, () => void>();
  readonly #queues = new QueueWatch(
    () => this.#pages.size > 0,
    (frame) => this.#passOn(encodeFrame(frame)),
  );
  #server: InspectorServer | undefined;

  private constructor(readonly title: string) {}

  /**
   * @param title the addresses of the trace
   * @param port 0: a free one
   * @throws {Failure} if the port cannot be used
   */
  static async start(title: string, port: number): Promise<LiveInspector> {
    const inspector = new LiveInspector(title);
    inspector.#server = await InspectorServer.start(inspector, port);
    return inspector;
  }

  /** Lets the pages read the last frames, for a limited time. */
  async end(): Promise<void> {
    this.#queues.end();
    this.#history.end();
    await this.#server?.close();
  }

  listening(): void {
    printRemark(`open ${this.#server?.address} in a browser`);
  }

  opened({ connection, time }: EventOrigin, { client, server, peers, link }: OpenedConnection): void {
    this.#history.append({
      type: 'connection',
      connection,
      time,
      ...(client === undefined ? {} : { client: describe(client) }),
      ...(server === undefined ? {} : { server: describe(server) }),
      peers,
    });
    if (link === undefined) return;
    this.#links.set(connection, link);
    this.#queues.opened(connection, link);
  }

  message(
    { connection, time }: EventOrigin,
    direction: Direction,
    { data, credentials, controlTruncated, isSentAgain }: ForwardedMessage,
    fds: Description[],
  ): void {
    const frame: MessageFrame = { type: 'message', connection, time, direction, fds };
    if (credentials !== undefined) {
      const { pid, uid, gid } = credentials;
      frame.credentials = { pid, uid, gid };
    }
    if (controlTruncated) frame.descriptorsLost = true;
    if (isSentAgain) frame.isSentAgain = true;
    this.#history.append(frame, data);
  }

  event(
    { connection, time }: EventOrigin,
    direction: Direction | undefined,
    event: EventFrame['event'],
    detail = '',
  ): void {
    const frame: EventFrame = { type: 'event', connection, time, event };
    if (direction !== undefined) frame.direction = direction;
    if (detail !== '') frame.detail = detail;
    this.#history.append(frame);
    if (event !== 'closed') return;
    this.#links.delete(connection);
    this.#queues.closed(connection);
  }

  async show(page: PageStream): Promise<void> {
    const reader = this.#history.reader();
    page.closed.then(() => this.#pages.get(page)?.());
    this.#pages.set(page, () => {});
    this.#queues.start();
    try {
      while (!page.isClosed) {
        const frames = reader.next();
        for (const each of frames) await page.write(each);
        if (frames.length > 0) continue;
        if (this.#history.hasEnded) return;
        await new Promise<void>((resolve) => this.#pages.set(page, resolve));
        // Frames that come in the same turn of the event loop are written together.
        await new Promise(setImmediate);
      }
    } finally {
      this.#pages.delete(page);
    }
  }

  async send(connection: number, direction: Direction, data: Buffer): Promise<void> {
    const link = this.#links.get(connection);
    if (link === undefined) throw new RequestError(404, `there is no open connection ${connection}`);
    try {
      await link.forwarding.send(direction, data);
    } catch (error) {
      throw new RequestError(codeOf(error) === 'EMSGSIZE' ? 422 : 409, reasonOf(error));
    }
  }

  #wakePages(): void {
    for (const wake of this.#pages.values()) wake();
  }

  /** Passes a frame on that is of no interest later. */
  #passOn(bytes: Uint8Array): void {
    for (const page of this.#pages.keys()) if (!page.isFull && !page.isClosed) page.write(bytes);
  }
}

function describe(peer: Peer): EndDescription {
  return { ...peer, user: userNameOf(peer.uid), command: commandOf(peer.pid) };
}
