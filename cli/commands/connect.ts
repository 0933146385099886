/** The definition of `seqpacket connect`. */
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { positiveInteger } from '../command-line/option-values.js';
import { type ConnectOptions, runConnect } from '../conversation/connect.js';
import { addMessageOptions, framingOf, type MessageOptions } from './message-options.js';

export function addConnect(program: DocumentedCommand, report: ReportResult): void {
  const command = program
    .command('connect')
    .summary('exchange messages with a service')
    .description(
      `Connect to a service. Each line of the input is sent as a message; each received message is printed as a line.

After the last message, answers are awaited: as many as messages were sent, or until none arrives for a second. Then the connection is shut down for sending, and messages are printed until the service closes. If the service ends first, input is still sent as long as it arrives within half a second. On a terminal, Ctrl-D ends the input.`,
    )
    .argument('<address>', 'a path, or @name');
  addMessageOptions(command)
    .option(
      '-c, --count <number>',
      'exit as soon as this number of messages was received; sending is not shut down before',
      positiveInteger,
    )
    .option('--shutdown', 'shut down sending right after the last message, without waiting for answers')
    .option('--no-shutdown', 'do not shut down sending: runs until the service closes, or until --count')
    .addExamples(
      `
  Exchange messages with a service
    seqpacket connect /run/service.socket
  Send one request, and print the answer
    seqpacket connect -m status @service
  Print the next ten messages of a service that sends on its own
    seqpacket connect --count 10 @events < /dev/null
  Send two messages, and print the answers as hex
    seqpacket connect --hex -m '01 02 ff' -m 00 @service
  Pass two descriptors: a file, and one that the shell has opened for writing
    seqpacket connect -m 'store this' --fd /etc/hostname --fd 5 /run/store.socket 5>result
  Send a file as one message
    seqpacket connect --delimiter '' /run/service.socket < image.bin
  Send a message that contains a line feed, and print all details of each answer
    echo '{"data": "two\\nlines"}' | seqpacket connect --json /run/service.socket`,
    )
    .action(async (address: string, options: ConnectOptions & MessageOptions) => {
      report(await runConnect(address, framingOf(options), options), false);
    });
}
