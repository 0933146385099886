/** The kernel's queues of connections, at intervals. */
import { fstatSync } from 'node:fs';
import type { SeqpacketSocket } from 'seqpacket';
import { unixSocketsLater } from '../kernel/proc-net-unix.js';
import { type Diagnostics, queryDiagnosticsLater } from '../kernel/sock-diag.js';
import { now } from '../process/clock.js';
import { reasonOf } from '../process/failure.js';
import { printError } from '../process/terminal.js';
import type { Link } from '../trace/trace-observer.js';
import type { QueuesFrame } from './frames.js';

/** ss(8) takes some milliseconds, more on a machine with many sockets. */
const INTERVAL_MS = 1000;

interface Watched extends Link {
  clientInode: number;
  serverInode: number;
}

export class QueueWatch {
  readonly #connections = new Map<number, Watched>();
  readonly #report: (frame: QueuesFrame) => void;
  readonly #isNeeded: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  /** @param isNeeded whether the next report will be read; the kernel is not asked otherwise */
  constructor(isNeeded: () => boolean, report: (frame: QueuesFrame) => void) {
    this.#isNeeded = isNeeded;
    this.#report = report;
  }

  start(): void {
    if (this.#timer === undefined && !this.#hasEnded) this.#schedule(0);
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  opened(connection: number, link: Link): void {
    const { client, server } = link;
    if (client.fd === undefined || server.fd === undefined) return;
    this.#connections.set(connection, {
      ...link,
      clientInode: fstatSync(client.fd).ino,
      serverInode: fstatSync(server.fd).ino,
    });
  }

  closed(connection: number): void {
    this.#connections.delete(connection);
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#look().catch((error) => {
        this.end();
        printError(`queue lengths are not shown any more: ${reasonOf(error)}`);
      });
    }, delay);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#isNeeded() && this.#connections.size > 0) {
      const diagnostics = await queryDiagnosticsLater(await unixSocketsLater());
      if (diagnostics === undefined) throw new Error('ss of iproute2 is not installed');
      if (this.#isNeeded()) this.#report(this.#frame(diagnostics));
    }
    if (!this.#hasEnded) this.#schedule(INTERVAL_MS);
  }

  #frame(diagnostics: ReadonlyMap<number, Diagnostics>): QueuesFrame {
    const queues: QueuesFrame['queues'] = [];
    for (const [connection, { client, server, clientInode, serverInode }] of this.#connections) {
      if (!client.isOpen || !server.isOpen) continue;
      const atClient = waitingAtPeer(clientInode, diagnostics);
      const atServer = waitingAtPeer(serverInode, diagnostics);
      // A peer in another network namespace.
      if (atClient === undefined || atServer === undefined) continue;
      // Messages that were not forwarded yet would wait at the receiver, too, without this process in between.
      queues.push({
        connection,
        client: atClient + waitingHere(server),
        server: atServer + waitingHere(client),
      });
    }
    return { type: 'queues', time: now(), queues };
  }
}

function waitingAtPeer(inode: number, diagnostics: ReadonlyMap<number, Diagnostics>): number | undefined {
  const own = diagnostics.get(inode);
  if (own === undefined) return undefined;
  // The peer has closed.
  if (own.peerInode === 0) return 0;
  return diagnostics.get(own.peerInode)?.receiveQueue;
}

function waitingHere(socket: SeqpacketSocket): number {
  return socket.ioControl('bytesReadable');
}
