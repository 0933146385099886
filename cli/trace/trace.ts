/** `seqpacket trace` */
import { resolve } from 'node:path';
import type { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import { connectTo, listenAt } from '../connections/open.js';
import { formatPeer, type Peer, peerOf } from '../connections/peer.js';
import { describeDescriptors } from '../kernel/descriptors.js';
import { now } from '../process/clock.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure, reasonOf } from '../process/failure.js';
import { Output, stdout } from '../process/output.js';
import { offStop, onStop, stopSignal } from '../process/stopping.js';
import { printError, printRemark } from '../process/terminal.js';
import { type Direction, type ForwardedMessage, Forwarding, type Observer } from './forwarding.js';
import { Recording } from './recording.js';
import { createTraceDisplay, type TraceDisplay } from './trace-display.js';
import type { Link, TraceObserver } from './trace-observer.js';

export interface TraceOptions {
  /** How many bytes of each message to show; undefined: the default. */
  bytes?: number | undefined;
  json?: boolean | undefined;
  mode?: number | undefined;
  once?: boolean | undefined;
  quiet?: boolean | undefined;
  /** Whether contents are shown as text. */
  text?: boolean | undefined;
  /** A file, or `-` for standard output. */
  write?: string | undefined;
}

/** @param observer gets the traffic, too */
export async function runTrace(
  listenAddress: string,
  connectAddress: string,
  options: TraceOptions,
  observer?: TraceObserver,
): Promise<number | undefined> {
  const target = parseAddress(connectAddress);
  const path = parseAddress(listenAddress);
  if (path === target || resolve(path) === resolve(target))
    throw new Failure('trace needs two different addresses: its own and that of the service', EXIT.usage);
  const tracer = await Tracer.create(connectAddress, options, observer);
  try {
    const acceptor = listenAt(listenAddress, { emptyMessages: 'deliver', mode: options.mode });
    acceptor.setOption('passCredentials', true);
    onStop(() => acceptor.close());
    observer?.listening();
    if (!options.quiet)
      printRemark(`listening at ${listenAddress}, forwarding to ${connectAddress}; Ctrl-C ends`);
    await tracer.run(acceptor);
  } finally {
    await tracer.end();
  }
  if (tracer.hasFailed) return EXIT.failure;
  return undefined;
}

class Tracer {
  /** Whether the recording is incomplete, descriptors were lost, or the only connection failed. */
  hasFailed = false;

  readonly #target: string;
  readonly #once: boolean;
  readonly #observer: TraceObserver | undefined;
  readonly #connections = new Set<Promise<void>>();
  #display: TraceDisplay | undefined;
  #file: Output | undefined;
  #recording: Recording | undefined;

  private constructor(target: string, once: boolean, observer: TraceObserver | undefined) {
    this.#target = target;
    this.#once = once;
    this.#observer = observer;
  }

  static async create(
    target: string,
    options: TraceOptions,
    observer: TraceObserver | undefined,
  ): Promise<Tracer> {
    const { once, quiet, write } = options;
    const tracer = new Tracer(target, once === true, observer);
    if (!quiet && write !== '-') tracer.#display = createTraceDisplay(options);
    if (write === '-') {
      if (process.stdout.isTTY) {
        throw new Failure('a recording cannot be written to a terminal: use a file or a pipe', EXIT.usage);
      }
      tracer.#file = stdout;
    } else if (write !== undefined) {
      tracer.#file = await Output.toFile(write, (error) => {
        tracer.hasFailed = true;
        printError(`recording to ${write} has stopped, forwarding continues: ${reasonOf(error)}`);
      });
    }
    if (tracer.#file !== undefined) tracer.#recording = new Recording(tracer.#file);
    return tracer;
  }

  async run(acceptor: SeqpacketAcceptor): Promise<void> {
    let number = 0;
    for await (const client of acceptor) {
      const connection = this.#trace(client, ++number);
      this.#connections.add(connection);
      connection.finally(() => this.#connections.delete(connection));
      if (this.#once) acceptor.close();
    }
    await Promise.all(this.#connections);
  }

  async end(): Promise<void> {
    if (this.#file !== undefined && this.#file !== stdout) await this.#file.end();
  }

  async #trace(client: SeqpacketSocket, number: number): Promise<void> {
    const close = () => client.close();
    onStop(close);
    try {
      await this.#forward(client, number);
    } catch (error) {
      if (stopSignal.aborted) return;
      if (this.#once) this.hasFailed = true;
      const origin = { time: now(), connection: number };
      this.#display?.event(origin, undefined, 'error', reasonOf(error));
      this.#observer?.event(origin, undefined, 'error', reasonOf(error));
      printError(`#${number} ${reasonOf(error)}`);
    } finally {
      offStop(close);
      client.close();
      const origin = { time: now(), connection: number };
      this.#recording?.closed(number, origin.time);
      this.#display?.event(origin, undefined, 'closed');
      this.#observer?.event(origin, undefined, 'closed');
    }
  }

  async #forward(client: SeqpacketSocket, number: number): Promise<void> {
    const clientPeer = peerOf(client);
    const server = await this.#connect(number, clientPeer);
    if (server === undefined) return;
    const close = () => server.close();
    onStop(close);
    try {
      const serverPeer = peerOf(server);
      const peers = `client ${formatPeer(clientPeer)}; server ${formatPeer(serverPeer)} at ${this.#target}`;
      const origin = { time: now(), connection: number };
      this.#display?.event(origin, undefined, 'open', peers);
      this.#recording?.opened(number, peers, origin.time, clientPeer);
      const forwarding = new Forwarding(client, server, this.#observerOf(number, clientPeer));
      const link: Link = { client, server, forwarding };
      this.#observer?.opened(origin, { client: clientPeer, server: serverPeer, peers, link });
      await forwarding.run();
    } finally {
      offStop(close);
      server.close();
    }
  }

  /** Returns undefined if the process is to stop. */
  async #connect(number: number, client: Peer | undefined): Promise<SeqpacketSocket | undefined> {
    try {
      return await connectTo(this.#target, { emptyMessages: 'deliver' });
    } catch (error) {
      const peers = `client ${formatPeer(client)}; no connection to ${this.#target}`;
      this.#observer?.opened({ time: now(), connection: number }, { client, server: undefined, peers });
      throw error;
    }
  }

  #observerOf(number: number, peer: Peer | undefined): Observer {
    const display = this.#display;
    const recording = this.#recording;
    const file = this.#file;
    const observer = this.#observer;
    return {
      message: (direction: Direction, message: ForwardedMessage) => {
        if (message.controlTruncated) {
          this.hasFailed = true;
          printError(`#${number} descriptors were lost: raise "ulimit -n"`);
        }
        if (display === undefined && recording === undefined && observer === undefined) return undefined;
        const time = now();
        const origin = { time, connection: number };
        const descriptions = describeDescriptors(message.fds);
        display?.message(origin, direction, message, descriptions);
        observer?.message(origin, direction, message, descriptions);
        recording?.message(time, number, direction, message, descriptions, peer);
        return stdout.backPressure() ?? file?.backPressure();
      },
      event: (direction, event, detail = '') => {
        const time = now();
        const origin = { time, connection: number };
        display?.event(origin, direction, event, detail);
        observer?.event(origin, direction, event, detail);
        recording?.event(time, number, direction, event, detail);
      },
    };
  }
}
