/** `seqpacket trace` */
import { resolve } from 'node:path';
import { connect, listen, type Message, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import { type Peer, peerInWords, peerOf } from '../conversation/display.js';
import { describeAll } from '../kernel/descriptors.js';
import { now } from '../process/clock.js';
import { EXIT } from '../process/exit-codes.js';
import { cannotConnect, cannotListen, codeOf, Failure, reasonOf } from '../process/failure.js';
import { Output, stdout } from '../process/output.js';
import { onStop, stopped } from '../process/stopping.js';
import { tell, tellFailure } from '../process/terminal.js';
import { type Direction, forward, type Observer } from './forwarding.js';
import { Recording } from './recording.js';
import { JsonView, TextView, type TraceView } from './trace-display.js';

export interface TraceOptions {
  /** How many bytes of each message to show. */
  bytes: number;
  json?: boolean | undefined;
  mode?: number | undefined;
  once?: boolean | undefined;
  quiet?: boolean | undefined;
  /** A file, or `-` for standard output. */
  write?: string | undefined;
}

export async function runTrace(
  listenAddress: string,
  connectAddress: string,
  options: TraceOptions,
): Promise<number | undefined> {
  const target = parseAddress(connectAddress);
  const path = parseAddress(listenAddress);
  if (path === target || resolve(path) === resolve(target))
    throw new Failure('trace needs two addresses: its own, and the one of the service', EXIT.usage);
  const tracer = await Tracer.create(connectAddress, options);
  try {
    const acceptor = listening(path, listenAddress, options.mode);
    onStop(() => acceptor.close());
    if (!options.quiet) tell(`listening at ${listenAddress}, forwarding to ${connectAddress}; Ctrl-C ends`);
    await tracer.run(acceptor);
  } finally {
    await tracer.end();
  }
  if (tracer.hasFailed) return EXIT.failure;
  return undefined;
}

function listening(path: string, address: string, mode: number | undefined): SeqpacketAcceptor {
  try {
    const acceptor = listen(path, { emptyMessages: 'deliver', mode });
    acceptor.setOption('passCredentials', true);
    return acceptor;
  } catch (error) {
    throw cannotListen(address, error);
  }
}

class Tracer {
  /** Whether there was trouble with what was recorded, with descriptors, or with the only connection. */
  hasFailed = false;

  readonly #target: string;
  readonly #once: boolean;
  readonly #connections = new Set<Promise<void>>();
  #view: TraceView | undefined;
  #file: Output | undefined;
  #recording: Recording | undefined;

  private constructor(target: string, once: boolean) {
    this.#target = target;
    this.#once = once;
  }

  static async create(target: string, { bytes, json, once, quiet, write }: TraceOptions): Promise<Tracer> {
    const tracer = new Tracer(target, once === true);
    if (!quiet && write !== '-') tracer.#view = json ? new JsonView() : new TextView(bytes);
    if (write === '-') {
      if (process.stdout.isTTY) {
        throw new Failure(
          'a recording is not for a terminal: give --write a file, or pipe it on',
          EXIT.usage,
        );
      }
      tracer.#file = stdout;
    } else if (write !== undefined) {
      tracer.#file = await Output.toFile(write, (error) => {
        tracer.hasFailed = true;
        tellFailure(`recording to ${write} has ended, forwarding goes on: ${reasonOf(error)}`);
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
      await this.#traceOpen(client, number);
    } catch (error) {
      if (stopped.aborted) return;
      if (this.#once) this.hasFailed = true;
      this.#view?.event({ time: now(), connection: number }, undefined, 'error', reasonOf(error));
      tellFailure(`#${number} ${reasonOf(error)}`);
    } finally {
      stopped.removeEventListener('abort', close);
      client.close();
      this.#recording?.closed(number);
      this.#view?.event({ time: now(), connection: number }, undefined, 'closed');
    }
  }

  async #traceOpen(client: SeqpacketSocket, number: number): Promise<void> {
    const clientPeer = peerOf(client);
    const server = await connectedTo(this.#target);
    const close = () => server.close();
    onStop(close);
    try {
      const serverPeer = peerOf(server);
      const who = `client ${peerInWords(clientPeer)}; server ${peerInWords(serverPeer)} at ${this.#target}`;
      this.#view?.event({ time: now(), connection: number }, undefined, 'open', who);
      this.#recording?.opened(number, who);
      await forward(client, server, this.#observer(number, clientPeer));
    } finally {
      stopped.removeEventListener('abort', close);
      server.close();
    }
  }

  #observer(number: number, peer: Peer | undefined): Observer {
    const view = this.#view;
    const recording = this.#recording;
    const file = this.#file;
    return {
      message: (direction: Direction, message: Message) => {
        if (message.controlTruncated) {
          this.hasFailed = true;
          tellFailure(`#${number} descriptors were lost, for there were none left here: raise "ulimit -n"`);
        }
        if (view === undefined && recording === undefined) return undefined;
        const time = now();
        const what = describeAll(message.fds);
        view?.message({ time, connection: number }, direction, message, what);
        recording?.message(time, number, direction, message, what, peer);
        return stdout.room() ?? file?.room();
      },
      event: (direction, event, detail = '') => {
        const time = now();
        view?.event({ time, connection: number }, direction, event, detail);
        recording?.event(time, number, direction, event);
      },
    };
  }
}

async function connectedTo(address: string): Promise<SeqpacketSocket> {
  try {
    return await connect(parseAddress(address), { emptyMessages: 'deliver', signal: stopped });
  } catch (error) {
    if (codeOf(error) === 'ABORT_ERR') throw error;
    throw cannotConnect(address, error);
  }
}
