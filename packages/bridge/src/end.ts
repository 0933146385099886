/** A running end of a bridge: what `serve` and `join` have in common of draining and closing. */
import type { Stats } from '@nats-io/transport-node';
import type { BridgeCore } from './bridge.js';
import type { BridgeCounters } from './counters.js';

export interface Bridge {
  readonly counters: BridgeCounters;
  /** The counters of the connection to NATS. */
  natsStats(): Stats;
  /** Resolves when the bridge has ended; rejects if the connection to NATS was lost for good. */
  readonly closed: Promise<void>;
  /** Accepts no new sessions, and resolves when the open ones have ended and the bridge is closed. May be called again. */
  drain(): Promise<void>;
  /** Ends all sessions with an error, and closes the bridge. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export abstract class BridgeEnd implements Bridge {
  readonly closed: Promise<void>;
  protected readonly core: BridgeCore;
  /** Sessions that are not open yet. */
  readonly #opening = new Set<Promise<void>>();
  #draining: Promise<void> | undefined;

  constructor(core: BridgeCore) {
    this.core = core;
    this.closed = core.nats.closed().then(async (error) => {
      this.#abandon('the connection to NATS was closed');
      await core.close();
      if (error instanceof Error) throw error;
    });
    this.closed.catch(() => {});
  }

  get counters(): BridgeCounters {
    return this.core.counters;
  }

  natsStats(): Stats {
    return this.core.nats.stats();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async close(): Promise<void> {
    this.#abandon('the bridge was closed');
    await this.core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Accepts nothing more. Resolves when nothing more comes. */
  protected abstract stop(): Promise<void>;

  /** Draining waits for it. It must not reject. */
  protected track(opening: Promise<void>): void {
    const tracked = opening.finally(() => this.#opening.delete(tracked));
    this.#opening.add(tracked);
  }

  async #drain(): Promise<void> {
    if (!this.core.isDraining) {
      this.core.isDraining = true;
      this.core.log({ event: 'draining', sessions: this.core.sessionCount });
      await this.stop();
    }
    while (this.#opening.size > 0) await Promise.all(this.#opening);
    await this.core.emptied();
    await this.core.close();
  }

  /** Whatever is being opened ends, too: it is interrupted. */
  #abandon(reason: string): void {
    this.core.isDraining = true;
    void this.stop();
    this.core.failAll(reason);
  }
}
