/** The definition of `seqpacket ls`. */
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { seconds } from '../command-line/option-values.js';
import { type LsOptions, runLs } from '../socket-list/ls.js';

const DEFAULT_INTERVAL_SECONDS = 2;

export function addLs(program: DocumentedCommand, report: ReportResult): void {
  program
    .command('ls')
    .summary('list sockets, and the processes that hold them')
    .description(
      `List the SEQPACKET sockets of this machine: state, queues, peers, addresses, and the processes that hold them.

With an address, lists only sockets that have it or are connected to it. RECV-Q: the bytes to be received; SEND-Q: the bytes sent that the peer has not received. For listening sockets: the connections to be accepted, and the backlog. "-> ADDRESS" is an unnamed socket, and the address of its peer. Queues and peers come from ss of iproute2.`,
    )
    .argument('[address]', 'a path, or @name')
    .option('-l, --listening', 'listening sockets only')
    .option('-c, --connected', 'connected sockets only')
    .option('-j, --json', 'print an array of objects')
    .option('-w, --watch [seconds]', 'repeat at this interval, 2 seconds by default', seconds)
    .addExamples(
      `
  List all sockets with their processes
    sudo seqpacket ls
  Find the processes that hold a socket
    seqpacket ls /run/service.socket
  Print the process ids of all clients
    seqpacket ls --json @service | jq '.[] | select(.peerAddress != "") | .processes[].pid'
  Watch the receive queues of a service, every second
    seqpacket ls --watch 1 /run/service.socket`,
    )
    .action(async (address: string | undefined, options: LsOptions & { watch?: number | true }) => {
      // Commander passes true for an option without its value.
      const watch = options.watch === (true as unknown) ? DEFAULT_INTERVAL_SECONDS : options.watch;
      report(await runLs(address, { ...options, watch }), watch !== undefined);
    });
}
