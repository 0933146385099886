/** What both ends work with: the connection to NATS, the sessions, heartbeats, counters. */
import { randomBytes } from 'node:crypto';
import { connect, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import type { SeqpacketSocket, SocketPath } from 'seqpacket';
import type { BridgeCounters, Traffic } from './counters.js';
import { CreditPool, longestPiece } from './credit.js';
import { codeOf, reasonOf } from './failure.js';
import { HEADER_BYTES } from './frame.js';
import type { RemoteProcess, Terms } from './hand-shake.js';
import type { LocalProcess, LogEvent } from './log.js';
import type { Settings } from './options.js';
import { MAX_PIECE_BYTES } from './pieces.js';
import { Session, type SessionEnd } from './session.js';

/** A session that begins: the names and terms are agreed. */
export interface Opening {
  session: string;
  socket: SeqpacketSocket;
  subscription: Subscription;
  /** Where the frames for the other bridge go. */
  to: string;
  own: Terms;
  other: Terms;
  local: LocalProcess | undefined;
  remote: RemoteProcess;
}

/** For the frames that open a session. */
const LEAST_MAX_PAYLOAD = 1024;

/** More heartbeats than these would let a bridge be kept busy by another one. */
const LEAST_TICK_MS = 20;

export class BridgeCore {
  readonly settings: Settings;
  readonly nats: NatsConnection;
  readonly counters: BridgeCounters = {
    open: 0,
    opened: 0,
    refused: 0,
    failed: 0,
    toService: { messages: 0, bytes: 0 },
    toClient: { messages: 0, bytes: 0 },
  };
  isConnected = true;
  isDraining = false;
  #isClosing = false;
  /** Called with the reason when the connection to NATS is lost, and when the bridge is closed. */
  readonly interruptions = new Set<(reason: string) => void>();
  readonly #direction: 'serve' | 'join';
  readonly #sessions = new Set<Session>();
  readonly #pool = new CreditPool();
  readonly #emptied = new Set<() => void>();
  /** Sessions that are not open yet. */
  #reserved = 0;
  #tick: number;
  #timer: NodeJS.Timeout;

  /** Connects to NATS, and lets the end of the bridge begin. Leaves nothing behind if that fails. */
  static async start<End>(
    settings: Settings,
    direction: 'serve' | 'join',
    begin: (core: BridgeCore) => Promise<End>,
  ): Promise<End> {
    const core = new BridgeCore(settings, await connect(settings.nats), direction);
    try {
      const { max_payload: longest = LEAST_MAX_PAYLOAD } = core.nats.info ?? {};
      if (longest < LEAST_MAX_PAYLOAD) {
        throw new Error(`the server's max_payload is ${longest}, and a bridge needs ${LEAST_MAX_PAYLOAD}`);
      }
      const end = await begin(core);
      const { subject, address } = settings;
      core.log({ event: 'ready', subject, address: addressText(address), server: core.nats.getServer() });
      return end;
    } catch (error) {
      await core.close();
      throw error;
    }
  }

  private constructor(settings: Settings, nats: NatsConnection, direction: 'serve' | 'join') {
    this.settings = settings;
    this.nats = nats;
    this.#direction = direction;
    this.#tick = this.#ownTick;
    this.#timer = setInterval(() => this.#tickAll(), this.#tick);
    void this.#watch();
  }

  log(event: LogEvent): void {
    try {
      this.settings.log(event);
    } catch (error) {
      // An exception of the program, as in a listener of an event: it must not end what the bridge is doing.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** Takes the place of a session that is to be opened, if there is one. It is taken until `release`. */
  reserve(): boolean {
    if (this.#sessions.size + this.#reserved >= this.settings.maxSessions) return false;
    this.#reserved++;
    return true;
  }

  /** After the session was opened, or not. */
  release(): void {
    this.#reserved--;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get isClosing(): boolean {
    return this.#isClosing || this.nats.isClosed();
  }

  /** A subject that only the other bridge of a session gets to know. */
  newSubject(): string {
    const prefix = this.settings.nats.inboxPrefix ?? '_INBOX';
    return `${prefix}.${randomBytes(16).toString('hex')}`;
  }

  /** What this bridge offers to a new session. To be given back if the session is not opened. */
  newTerms(): Terms {
    const window = this.#pool.takeFirst();
    return {
      window,
      piece: Math.min(this.#longestPiece, longestPiece(window)),
      deadAfter: this.settings.deadAfter,
    };
  }

  giveBack({ window }: Terms): void {
    this.#pool.giveBack(window);
  }

  get #longestPiece(): number {
    return Math.min(MAX_PIECE_BYTES, (this.nats.info?.max_payload ?? LEAST_MAX_PAYLOAD) - HEADER_BYTES);
  }

  get #ownTick(): number {
    return Math.min(this.settings.heartbeatEvery / 5, this.settings.deadAfter / 10);
  }

  subscribe(subject: string, take: (message: Msg) => void, queue?: string): Subscription {
    return this.nats.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error !== null) {
          this.log({ event: 'error', reason: reasonOf(error) });
          return;
        }
        try {
          take(message);
        } catch (error) {
          // The client of NATS would read nothing more.
          this.log({ event: 'error', reason: `a message could not be handled: ${reasonOf(error)}` });
        }
      },
    });
  }

  publish(subject: string, frame: Uint8Array, reply?: string): void {
    // The frames of sessions that end because the connection is closed.
    if (this.nats.isClosed()) return;
    this.nats.publish(subject, frame, reply === undefined ? undefined : { reply });
  }

  /** Publishes a frame outside of a session. If that fails, the other bridge notices the silence. */
  tryPublish(subject: string, frame: Uint8Array): void {
    try {
      this.publish(subject, frame);
    } catch (error) {
      this.log({ event: 'error', reason: `publishing failed: ${reasonOf(error)}` });
    }
  }

  open(opening: Opening): Session {
    const { session: name, socket, subscription, to, own, other, local, remote } = opening;
    // This bridge's server may have a smaller max_payload than that of the other one.
    const terms = { ...other, piece: Math.min(other.piece, this.#longestPiece) };
    const startedAt = performance.now();
    const session = new Session({
      socket,
      own,
      other: terms,
      pool: this.#pool,
      heartbeatEvery: this.settings.heartbeatEvery,
      publish: (frame) => this.publish(to, frame),
      ended: (end) => {
        subscription.unsubscribe();
        this.#sessions.delete(session);
        this.#count(end);
        const { toService, toClient } = this.#directions(end);
        const seconds = Math.round(performance.now() - startedAt) / 1000;
        const { code, reason } = end;
        this.log({ event: 'closed', session: name, local, code, reason, toService, toClient, seconds });
        if (this.#sessions.size > 0) return;
        for (const callback of this.#emptied) callback();
        this.#emptied.clear();
        this.#tickEvery(this.#ownTick);
      },
    });
    this.#sessions.add(session);
    // The other bridge may need more heartbeats than this one.
    this.#tickEvery(Math.min(this.#tick, Math.max(LEAST_TICK_MS, other.deadAfter / 15)));
    this.counters.opened++;
    this.counters.open++;
    this.log({ event: 'opened', session: name, local, remote });
    session.start();
    return session;
  }

  refuse(session: string, local: LocalProcess | undefined, code: string, reason: string): void {
    this.counters.refused++;
    this.log({ event: 'refused', session, local, code, reason });
  }

  /** Resolves when no session is open. */
  async emptied(): Promise<void> {
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#emptied.add(resolve);
    });
  }

  /** Ends all sessions with an error, and whatever waits for NATS. */
  failAll(reason: string): void {
    for (const session of [...this.#sessions]) session.fail('ECONNRESET', reason);
    for (const callback of [...this.interruptions]) callback(reason);
  }

  /** Closes the connection to NATS, after all that was published. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    if (this.nats.isClosed()) return;
    // Without a connection, flushing would wait for ever.
    if (this.isConnected) await this.whileConnected(this.nats.flush());
    await this.nats.close();
  }

  /** Waits for the work, but not beyond the loss of the connection to NATS. Its error is of no interest. */
  async whileConnected(work: Promise<unknown>): Promise<void> {
    let lost = () => {};
    const loss = new Promise<void>((resolve) => {
      lost = resolve;
    });
    this.interruptions.add(lost);
    try {
      await Promise.race([work.catch(() => {}), loss]);
    } finally {
      this.interruptions.delete(lost);
    }
  }

  #tickAll(): void {
    const now = performance.now();
    for (const session of [...this.#sessions]) session.tick(now, this.#tick);
  }

  #tickEvery(tick: number): void {
    if (tick === this.#tick) return;
    this.#tick = tick;
    clearInterval(this.#timer);
    if (!this.isClosing) this.#timer = setInterval(() => this.#tickAll(), tick);
  }

  async #watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      switch (status.type) {
        case 'disconnect':
          this.isConnected = false;
          this.log({ event: 'disconnected', sessions: this.#sessions.size });
          this.failAll('the connection to NATS was lost');
          break;
        case 'reconnect':
          this.isConnected = true;
          this.log({ event: 'reconnected', server: this.nats.getServer() });
          break;
        case 'error':
          this.log({ event: 'error', reason: reasonOf(status.error) });
      }
    }
  }

  #directions({ sent, delivered }: SessionEnd): { toService: Traffic; toClient: Traffic } {
    return this.#direction === 'join'
      ? { toService: sent, toClient: delivered }
      : { toService: delivered, toClient: sent };
  }

  #count(end: SessionEnd): void {
    const { toService, toClient } = this.#directions(end);
    this.counters.open--;
    if (end.code !== undefined) this.counters.failed++;
    add(this.counters.toService, toService);
    add(this.counters.toClient, toClient);
  }
}

function add(sum: Traffic, more: Traffic): void {
  sum.messages += more.messages;
  sum.bytes += more.bytes;
}

/** The peer's credentials, from the kernel; undefined if it has disconnected already. */
export function localProcess(socket: SeqpacketSocket): LocalProcess | undefined {
  try {
    const { pid, uid } = socket.getOption('remoteCredentials');
    return { pid, uid };
  } catch (error) {
    if (codeOf(error) !== 'ENOTCONN') throw error;
    return undefined;
  }
}

/** An address for the log: an abstract name begins with @. */
function addressText(address: SocketPath): string {
  const text = address instanceof Uint8Array ? Buffer.from(address).toString() : String(address);
  return text.replaceAll('\0', '@');
}
