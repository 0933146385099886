/** The command line: all commands. */
import { DocumentedCommand, type ReportResult } from '../command-line/command.js';
import { version } from '../process/version.js';
import { addBench } from './bench.js';
import { addCompletion } from './completion.js';
import { addConnect } from './connect.js';
import { addListen } from './listen.js';
import { addLs } from './ls.js';
import { addManual } from './manual.js';
import { addReplay } from './replay.js';
import { addShow } from './show.js';
import { addTrace } from './trace.js';

/** In the order of the help. */
const COMMANDS = [
  addConnect,
  addListen,
  addLs,
  addTrace,
  addShow,
  addReplay,
  addBench,
  addCompletion,
  addManual,
];

export function createProgram(report: ReportResult): DocumentedCommand {
  const program = new DocumentedCommand('seqpacket')
    .description(
      `Connect to AF_UNIX SOCK_SEQPACKET services, trace and record their traffic, list sockets and the processes that hold them.

An ADDRESS is the path of a socket, or @name for a name in Linux's abstract namespace.`,
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ helpWidth: 100 })
    .addExamples(
      `
  Exchange messages with a service: each typed line is a message, each answer is printed
    seqpacket connect /run/service.socket
  Send one request from a script
    seqpacket connect @service --message status --timeout 5
  Act as a service for several clients
    seqpacket listen --keep /tmp/mine.socket
  Show the traffic of a service whose clients connect to another address
    seqpacket trace /tmp/between.socket /run/service.socket
  Find the processes that hold a socket
    seqpacket ls /run/service.socket`,
      `"seqpacket COMMAND --help" shows the options of a command, with examples.
Exit codes: 0 success, 1 failure or nothing found, 2 wrong usage, 124 timeout (--timeout).`,
    );
  for (const add of COMMANDS) add(program, report);
  return program;
}
