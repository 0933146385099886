/** The state of the page, and what its buttons and keys do. */
import type { Direction } from '../../frames.js';
import type { OpenTester } from '../filter/content-tester.js';
import { directionOf } from '../messages/flags.js';
import { download } from './download.js';
import { readInto } from './reading.js';
import { RowEncoder } from './row-frames.js';
import type { Server } from './server.js';
import { Session } from './session.js';
import { Turns } from './turns.js';
import { View } from './view.js';

export type Pane = 'connections' | 'messages' | 'charts';
export type ContentsTab = 'text' | 'json' | 'hex';

/** `ended`: messages could still have come. */
export type Status = 'connecting' | 'live' | 'complete' | 'ended';

export interface Notice {
  text: string;
  isError: boolean;
}

/** A message that is being written. */
export interface Draft {
  connection: number;
  direction: Direction;
  data: Uint8Array;
  /** How many descriptors the original has, which are not sent. */
  descriptors: number;
}

const NOTICE_MS = 6000;
const EXPORT_PART_BYTES = 8 * 1_048_576;

export class Inspector {
  readonly server: Server;
  /** What the address of the page shows. */
  readonly live: View;
  /** What is seen: that, or a recording that was opened. */
  shown: View;
  status: Status = 'connecting';
  /** Why the stream has ended early. */
  reason = '';
  notice: Notice | undefined;
  /** The pane that a narrow page shows. */
  pane: Pane = 'messages';
  hasCharts: boolean;
  isDetailOpen = false;
  /** undefined: what fits the message best. */
  tab: ContentsTab | undefined;
  draft: Draft | undefined;
  hasKeys = false;
  /** Whether a file is dragged over the page. */
  isDropping = false;
  readonly #openTester: OpenTester;
  readonly #redraw: (isUrgent: boolean) => void;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param redraw called after changes */
  constructor(
    server: Server,
    openTester: OpenTester,
    hasCharts: boolean,
    redraw: (isUrgent: boolean) => void,
  ) {
    this.server = server;
    this.hasCharts = hasCharts;
    this.#openTester = openTester;
    this.#redraw = redraw;
    this.live = this.#view(new Session('', true));
    this.shown = this.live;
  }

  /** Draws the page again, after a change of its state. */
  changed(): void {
    this.#redraw(true);
  }

  /** Reads the stream to its end. */
  async run(): Promise<void> {
    const { session } = this.live;
    try {
      const stream = await this.server.frames();
      await readInto(session, stream, () => {
        if (this.status === 'connecting') this.status = session.isLive ? 'live' : 'complete';
        this.#redraw(false);
      });
      this.status = session.isLive ? 'ended' : 'complete';
    } catch (error) {
      this.status = 'ended';
      this.reason = reasonOf(error);
    }
    for (const connection of session.connections.values()) connection.queues = undefined;
    this.changed();
  }

  select(number: number | undefined): void {
    this.shown.select(number);
    this.isDetailOpen = number !== undefined;
    this.changed();
  }

  closeDetail(): void {
    this.isDetailOpen = false;
    this.shown.selected = undefined;
    this.changed();
  }

  get canSend(): boolean {
    return this.status === 'live' && this.shown === this.live;
  }

  /** Whether the connection of a message is open in its direction. */
  canSendAgain(connection: number, direction: Direction): boolean {
    return this.canSend && this.shown.session.connections.get(connection)?.canSend(direction) === true;
  }

  /** Sends the contents of a message again, on its connection and in its direction. */
  async sendAgain(number: number): Promise<void> {
    const { store } = this.shown.session;
    const direction = directionOf(store.flags(number));
    const connection = store.connection(number);
    if (store.event(number) !== 0) return;
    if (!this.canSendAgain(connection, direction)) {
      this.notify(`Nothing can be sent ${direction} on connection ${connection} now`, true);
      return;
    }
    const error = await this.send(connection, direction, store.data(number));
    if (error !== undefined) this.notify(`Not sent: ${error}`, true);
  }

  /** Begins a message with the contents of another one. */
  edit(number: number): void {
    const { store } = this.shown.session;
    if (store.event(number) !== 0 || !this.canSend) return;
    this.draft = {
      connection: store.connection(number),
      direction: directionOf(store.flags(number)),
      data: store.data(number),
      descriptors: store.descriptors(number).length,
    };
    this.changed();
  }

  /** Returns the reason of a failure. */
  async send(connection: number, direction: Direction, data: Uint8Array): Promise<string | undefined> {
    try {
      await this.server.send(connection, direction, new Uint8Array(data));
      this.notify(`Sent ${direction} on connection ${connection}`);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** Shows a recording. */
  async open(file: File): Promise<void> {
    const view = this.#view(new Session(file.name, false));
    try {
      const stream = await this.server.imported(file);
      await readInto(view.session, stream, () => this.#redraw(false));
      view.session.title = file.name;
      view.isFollowing = false;
      this.#show(view);
    } catch (error) {
      this.notify(`${file.name} cannot be opened: ${reasonOf(error)}`, true);
    }
  }

  /** Shows again what the address of the page is for. */
  showLive(): void {
    this.#show(this.live);
  }

  /** Saves the rows that pass the filter as a recording. */
  async export(): Promise<void> {
    const { session, filtered } = this.shown;
    const count = filtered.rows.length;
    if (count === 0) {
      this.notify('There is nothing to export', true);
      return;
    }
    this.notify('Exporting …');
    try {
      const numbers = Array.from({ length: count }, (_, index) => filtered.rows.at(index));
      const frames = await encodeRows(session, numbers);
      const recording = await this.server.exported(frames);
      const name = `seqpacket-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.pcapng`;
      download(recording, name);
      this.notify(`Saved as ${name}`);
    } catch (error) {
      this.notify(`The export has failed: ${reasonOf(error)}`, true);
    }
  }

  notify(text: string, isError = false): void {
    this.notice = { text, isError };
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => {
      this.notice = undefined;
      this.changed();
    }, NOTICE_MS);
    this.changed();
  }

  #view(session: Session): View {
    return new View(session, this.#openTester, () => this.#redraw(true));
  }

  #show(view: View): void {
    this.shown = view;
    this.isDetailOpen = view.selected !== undefined;
    this.draft = undefined;
    this.changed();
  }
}

async function encodeRows(session: Session, numbers: readonly number[]): Promise<Blob> {
  const encoder = new RowEncoder(session);
  const turns = new Turns();
  // A blob is not in the memory of the page.
  const blobs: Blob[] = [];
  let parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for (const number of numbers) {
    // It may have been dropped in the meantime.
    if (!session.store.has(number)) continue;
    for (const part of encoder.encode(number)) {
      parts.push(part);
      bytes += part.length;
    }
    if (bytes >= EXPORT_PART_BYTES) {
      blobs.push(new Blob(parts));
      parts = [];
      bytes = 0;
    }
    await turns.next();
  }
  return new Blob([...blobs, ...parts]);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
