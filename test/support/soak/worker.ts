/** One end of a connection in a worker, until the worker is terminated. Without work it ends at once. */
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { Ledger } from './ledger.js';
import { emptyTally, Link, type Surroundings } from './link.js';
import type { Plan, Side } from './plan.js';

export interface Assignment {
  fd: number;
  connection: number;
  side: Side;
  plan: Plan;
  memory: SharedArrayBuffer;
  surroundings: Omit<Surroundings, 'report' | 'tally'>;
}

const assignment = workerData as Assignment | null | undefined;
if (assignment) {
  const { fd, connection, side, plan, memory, surroundings } = assignment;
  const report = (fault: string) => parentPort!.postMessage({ fault: `in a worker: ${fault}` });
  process.on('warning', (warning) => report(`warning: ${inspect(warning)}`));
  process.on('unhandledRejection', (reason) => report(`unhandled rejection: ${inspect(reason)}`));
  const socket = new SeqpacketSocket(FileDescriptor.adopt(fd));
  const link = new Link(socket, connection, side, plan, new Ledger(memory), {
    ...surroundings,
    report,
    tally: emptyTally(),
  });
  parentPort!.postMessage('adopted');
  await link.run(undefined);
}
