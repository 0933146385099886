// sync-child-process: a child process with pipes, served by a worker thread for which the main thread waits. The client
// starts the child.
import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { LAST, Pace, play, work } from './role.mjs';

await play({
  ping() {
    const require = createRequire(process.env.SEQPACKET_BENCH_PEERS);
    const { SyncChildProcess } = require('sync-child-process');
    const args = [fileURLToPath(import.meta.url), 'echo', ...process.argv.slice(3)];
    const child = new SyncChildProcess(process.execPath, args);
    const pace = new Pace();
    let report = '';
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      // A copy, because the memory is transferred to the worker.
      child.stdin.write(Buffer.from(new Uint8Array(message).buffer));
      for (let length = 0; length < work.size; ) {
        const { data } = child.next().value;
        length += data.length;
        // The last answer may come together with the report of the child.
        if (length > work.size) report = String(data.subarray(work.size - length));
      }
    }
    pace.reportMeasured();
    while (!report.endsWith('\n')) report += child.next().value.data;
    process.stdout.write(report);
    process.exit();
  },

  /** Returns every message, and then reports its CPU time, which cannot be read by another process. */
  echo() {
    const buffer = Buffer.alloc(work.size);
    const before = process.cpuUsage();
    do {
      for (let length = 0; length < work.size; )
        length += readSync(0, buffer, length, work.size - length, null);
      writeSync(1, buffer);
    } while (buffer[0] !== LAST);
    const { user, system } = process.cpuUsage(before);
    const warmUp = work.warmUpMilliseconds;
    const share = work.measureMilliseconds / (warmUp + work.measureMilliseconds);
    writeSync(1, `${JSON.stringify({ cpuSeconds: (share * (user + system)) / 1e6 })}\n`);
  },
});
