// synckit: synchronous calls into a worker thread, by a MessagePort and Atomics.wait. The client starts the worker.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Pace, play } from './role.mjs';

const require = createRequire(process.env.SEQPACKET_BENCH_PEERS);
const { createSyncFn } = require('synckit');

await play({
  ping() {
    const call = createSyncFn(fileURLToPath(new URL('synckit-worker.mjs', import.meta.url)));
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) call(message);
    pace.reportMeasured();
    process.exit();
  },
});
