/** The definition of `seqpacket bench`. */
import { type BenchOptions, runBench } from '../bench/bench.js';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { positiveInteger, seconds } from '../command-line/option-values.js';

export function addBench(program: DocumentedCommand, report: ReportResult): void {
  program
    .command('bench')
    .summary('measure latency and throughput')
    .description(
      'Measure latency and throughput, with a child process or with an echo service, which returns every message.',
    )
    .argument('[address]', 'a path, or @name')
    .option('-s, --size <bytes>', 'the size of each message', positiveInteger, 64)
    .option('-d, --duration <seconds>', 'the duration of each of the two measurements', seconds, 2)
    .option('--shared-memory', 'send the messages through shared memory, which an echo service must support')
    .option('-j, --json', 'print JSON')
    .addExamples(
      `
  Measure the sockets of this machine
    seqpacket bench
  Measure shared memory, with messages of 1 MiB
    seqpacket bench --shared-memory --size 1048576
  Measure an echo service, with messages of 4 KiB
    socat UNIX-LISTEN:/tmp/echo.socket,type=5,fork EXEC:/bin/cat,nofork &
    seqpacket bench --size 4096 /tmp/echo.socket`,
    )
    .action(async (address: string | undefined, options: BenchOptions) => {
      report(await runBench(address, options), false);
    });
}
