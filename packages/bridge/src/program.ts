/** The command line: `serve` and `join`. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { addNatsOptions, type NatsArguments } from './nats-options.js';

export interface CommonArguments extends NatsArguments {
  heartbeat: number;
  dead?: number;
  maxSessions?: number;
  json?: boolean;
  quiet?: boolean;
}

export interface ServeArguments extends CommonArguments {
  queue?: string;
}

export interface JoinArguments extends CommonArguments {
  mode?: number;
}

export interface Actions {
  serve(subject: string, address: string, options: ServeArguments): Promise<void>;
  join(subject: string, address: string, options: JoinArguments): Promise<void>;
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export function createProgram({ serve, join }: Actions): Command {
  const program = new Command('seqpacket-bridge')
    .description(
      `Carry sessions of AF_UNIX SOCK_SEQPACKET sockets between machines, over NATS.

An ADDRESS is the path of a socket, or @name for a name in Linux's abstract namespace.`,
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ helpWidth: 100 })
    .addHelpText(
      'after',
      `
Examples:
  On the machine of the service
    seqpacket-bridge serve greeter /run/greeter.socket --server nats://nats.example.org
  On each machine with clients, which connect to /run/greeter.socket there
    seqpacket-bridge join greeter /run/greeter.socket --server nats://nats.example.org

Signals: SIGTERM and SIGINT drain (no new sessions; exit when the open ones have ended), a second one
ends the sessions with an error. SIGUSR2 prints counters.
Exit codes: 0 success, 1 failure, 2 wrong usage.`,
    );

  const serving = program
    .command('serve')
    .summary('offer a local service')
    .description(
      `Offer a local service under a subject: connect to it for each session.

Several bridges with the same subject and queue group share the sessions. Each session stays with the bridge that accepted it. The service sees the process id and user of the bridge instead of the client's.`,
    )
    .argument('<subject>', 'the name of the service in NATS')
    .argument('<address>', 'the address of the local service')
    .option('--queue <group>', 'the queue group (default: "seqpacket-bridge")');
  addCommonOptions(serving).action(serve);

  const joining = program
    .command('join')
    .summary('listen for local clients')
    .description(
      `Listen at an address: each local connection becomes a session with a service of another machine.

If no bridge serves the subject, the connection is closed at once.`,
    )
    .argument('<subject>', 'the name of the service in NATS')
    .argument('<address>', 'the address for the local clients')
    .option('--mode <octal>', 'the permissions of the socket file, for example 660', fileMode);
  addCommonOptions(joining).action(join);
  return program;
}

function addCommonOptions(command: Command): Command {
  return addNatsOptions(command)
    .option('--heartbeat <seconds>', 'the time between heartbeats of a session', seconds, 5)
    .option('--dead <seconds>', 'the silence after which a session ends (default: three heartbeats)', seconds)
    .option('--max-sessions <count>', 'the maximum number of sessions at the same time', positiveInteger)
    .option('-j, --json', 'print the log as lines of JSON')
    .option('-q, --quiet', 'print no log');
}

function seconds(value: string): number {
  const number = Number(value);
  if (value.trim() === '' || !(number >= 0.1 && number < 2_000_000)) {
    throw new InvalidArgumentError('A number of seconds, 0.1 or greater.');
  }
  return number;
}

function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('A whole number, 1 or greater.');
  return Number(value);
}

function fileMode(value: string): number {
  if (!/^[0-7]{3,4}$/.test(value)) throw new InvalidArgumentError('Octal permissions, as for chmod(1).');
  return Number.parseInt(value, 8);
}
