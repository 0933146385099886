/** What the inspector shows: a live trace, or a recording. */
import type { Direction } from './frames.js';

export interface Subject {
  readonly title: string;
  readonly isLive: boolean;

  /** Writes frames until there are no more, or until the page has closed the connection. */
  show(page: PageStream): Promise<void>;

  /**
   * Sends a message into an open connection.
   *
   * @throws {RequestError}
   */
  send(connection: number, direction: Direction, data: Buffer): Promise<void>;
}

/** The stream of frames to one page. */
export interface PageStream {
  readonly isClosed: boolean;
  /** Resolves when the page has closed the connection. */
  readonly closed: Promise<void>;
  /** Whether the page has not read what was written. */
  readonly isFull: boolean;
  /** Returns a promise if the next write has to wait. */
  write(bytes: Uint8Array): Promise<void> | undefined;
}

/** A request that cannot be carried out. */
export class RequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}
