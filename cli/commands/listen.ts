/** The definition of `seqpacket listen`. */
import { Option } from 'commander';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { fileMode } from '../command-line/option-values.js';
import { EXEC_AS } from '../conversation/exec.js';
import { type ListenOptions, runListen } from '../conversation/listen.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { addMessageOptions, framingOf, type MessageOptions } from './message-options.js';

export function addListen(program: DocumentedCommand, report: ReportResult): void {
  const command = program
    .command('listen')
    .summary('act as a service')
    .description(
      `Act as a service: wait for a client, print its messages as lines, and send it the lines of the input.

Serves one client and exits; with --keep, serves any number of clients until it is interrupted. Input is sent to all connected clients; in JSON, {"connection": N, …} selects one of them. Input waits while there is no client.`,
    )
    .argument('<address>', 'a path, or @name');
  addMessageOptions(command)
    .option('-k, --keep', 'continue after the first client, and serve several clients at once')
    .option('--mode <octal>', 'the permissions of the socket file, for example 660', fileMode)
    .option('-e, --exec <command>', 'run a command with /bin/sh for each client')
    .addOption(
      new Option(
        '--exec-as <how>',
        'how the command gets the connection: "lines": messages as lines of its standard input and output; "fd": the socket as descriptor 3 (LISTEN_FDS=1); "stdio": the socket as standard input and output',
      )
        .choices(EXEC_AS)
        .default('lines'),
    )
    .addExamples(
      `
  Print the messages of a client, and answer by hand
    seqpacket listen /tmp/mine.socket
  Collect the messages of all clients, as JSON
    seqpacket listen --keep --json --mode 666 /run/collector.socket >> messages.json
  Run a service in one line of shell, which answers in capitals
    seqpacket listen --keep --exec "stdbuf -oL tr a-z A-Z" @capitals
  Run a program that inherits the connection, as from systemd with Accept=yes
    seqpacket listen --keep --exec ./serve-one --exec-as fd /tmp/mine.socket
  Pass an open file to the first client
    seqpacket listen -m 'here it is' --fd /etc/hostname @files`,
    )
    .action(async (address: string, options: ListenOptions & MessageOptions) => {
      checkExec(options);
      report(await runListen(address, framingOf(options), options), options.keep === true);
    });
}

function checkExec({ exec, execAs, message, fd, saveFds, printFds }: ListenOptions): void {
  if (exec === undefined) {
    if (execAs !== 'lines') throw new Failure('--exec-as needs --exec', EXIT.usage);
    return;
  }
  if (message !== undefined || fd !== undefined) {
    throw new Failure(
      '--message and --fd cannot be used with --exec: the command sends the messages',
      EXIT.usage,
    );
  }
  if (saveFds !== undefined || printFds) {
    throw new Failure('--save-fds and --print-fds cannot be used with --exec: see --exec-as fd', EXIT.usage);
  }
}
