// The worker of synckit.mjs, which returns every message.
import { createRequire } from 'node:module';

const require = createRequire(process.env.SEQPACKET_BENCH_PEERS);
const { runAsWorker } = require('synckit');

runAsWorker((message) => message);
