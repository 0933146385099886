/** The definition of `seqpacket trace`. */
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { fileMode, portNumber } from '../command-line/option-values.js';
import { LiveInspector } from '../inspector/live-inspector.js';
import { runTrace, type TraceOptions } from '../trace/trace.js';
import { addDisplayOptions, portOf, type WebOption } from './display-options.js';

export function addTrace(program: DocumentedCommand, report: ReportResult): void {
  const command = program
    .command('trace')
    .summary('show and record the traffic of a service')
    .description(
      `Show the traffic of a service: accept its clients at another address, print every message, and forward it.

Connects to the service for each client. Messages are forwarded whole, with their descriptors; so are empty messages, ends of file and resets. If a receiver is slow, the sender waits. "->" is the direction to the service, "<-" to the client. The service sees the process id and user of trace instead of the client's. Runs until it is interrupted.`,
    )
    .argument('<listen>', 'the address for the clients')
    .argument('<connect>', 'the address of the service');
  addDisplayOptions(command)
    .option('-q, --quiet', 'print nothing')
    .option(
      '-w, --write <file>',
      'record to a file in the pcapng format, which Wireshark opens; - for standard output',
    )
    .option(
      '--web [port]',
      'show the traffic in a browser, too: print the address to open, which is on 127.0.0.1 at this port, or at a free one',
      portNumber,
    )
    .option('--once', 'exit after the first client')
    .option('--mode <octal>', 'the permissions of the socket file, for example 660', fileMode)
    .addExamples(
      `
  Show the traffic of a client that can be given another address
    seqpacket trace /tmp/between.socket /run/service.socket
  Show requests and answers in JSON
    seqpacket trace --text @between @service
  Show the traffic of a running service, without restarting it
    mv /run/service.socket /run/service.real
    seqpacket trace /run/service.socket /run/service.real; mv /run/service.real /run/service.socket
  Record, and open the recording in Wireshark
    seqpacket trace --quiet --write talk.pcapng @between @service
    wireshark talk.pcapng
  Show the traffic in Wireshark while it is recorded
    seqpacket trace --write - @between @service | wireshark -k -i -
  Show the traffic in a browser
    seqpacket trace --quiet @between @service --web`,
    )
    .action(async (listen: string, connect: string, { web, ...options }: TraceOptions & WebOption) => {
      const port = portOf(web);
      const inspector =
        port === undefined ? undefined : await LiveInspector.start(`${listen} → ${connect}`, port);
      try {
        report(await runTrace(listen, connect, options, inspector), true);
      } finally {
        await inspector?.end();
      }
    });
}
