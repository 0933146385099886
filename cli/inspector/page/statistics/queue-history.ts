/** The lengths of the kernel's queues during the last minutes. */
import type { QueuesFrame } from '../../frames.js';

/** Ten minutes. */
const MAX_SAMPLES = 1200;

export interface QueuesOverTime {
  /** Seconds since 1970. */
  times: number[];
  /** Bytes that wait at all chosen clients, and servers. */
  clients: number[];
  servers: number[];
}

export class QueueHistory {
  #samples: QueuesFrame[] = [];

  push(sample: QueuesFrame): void {
    this.#samples.push(sample);
    if (this.#samples.length >= 2 * MAX_SAMPLES) this.#samples = this.#samples.slice(-MAX_SAMPLES);
  }

  clear(): void {
    this.#samples = [];
  }

  get length(): number {
    return this.#samples.length;
  }

  /** @param connections undefined for all */
  overTime(connections: ReadonlySet<number> | undefined): QueuesOverTime {
    const result: QueuesOverTime = { times: [], clients: [], servers: [] };
    for (const { time, queues } of this.#samples.slice(-MAX_SAMPLES)) {
      let clients = 0;
      let servers = 0;
      for (const { connection, client, server } of queues) {
        if (connections?.has(connection) === false) continue;
        clients += client;
        servers += server;
      }
      result.times.push(time / 1e6);
      result.clients.push(clients);
      result.servers.push(servers);
    }
    return result;
  }
}
