/** The command line: what there is, and how it explains itself. */
import { Argument, InvalidArgumentError, Option } from 'commander';
import { runBench } from '../bench/bench.js';
import { TeachingCommand } from '../command-line/command.js';
import { completionScript, SHELLS, type Shell } from '../command-line/completion-script.js';
import { manualPage } from '../command-line/manual-page.js';
import { runConnect, type TalkOptions } from '../conversation/connect.js';
import { EXEC_AS } from '../conversation/exec.js';
import { type ListenOptions, runListen } from '../conversation/listen.js';
import { type Coding, Framing, parseDelimiter } from '../messages/framing.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { version } from '../process/version.js';
import { type LsOptions, runLs } from '../socket-list/ls.js';
import { type ReplayOptions, runReplay } from '../trace/replay.js';
import { runTrace, type TraceOptions } from '../trace/trace.js';

/** Gets what a command came to: its exit code, or undefined if there is nothing special to say. */
export type Finished = (code: number | undefined, isEndless: boolean) => void;

interface FramingOptions {
  delimiter?: string;
  hex?: boolean;
  base64?: boolean;
  json?: boolean;
  keepDelimiter?: boolean;
}

export function createProgram(finished: Finished): TeachingCommand {
  const program = new TeachingCommand('seqpacket')
    .description(
      `Talk to services on AF_UNIX SOCK_SEQPACKET sockets, see what goes over them, find out who holds them.

An ADDRESS is the path of a socket, or @name for a name in Linux's abstract namespace.`,
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ helpWidth: 100 })
    .teach(
      `
  Talk to a service: each line that you type is a message, each answer is printed
    seqpacket connect /run/service.socket
  Ask one question from a script
    seqpacket connect @service --message status --timeout 5
  Be a service yourself, for as many clients as come
    seqpacket listen --keep /tmp/mine.socket
  See what goes over a socket: let the clients connect to another address, and watch
    seqpacket trace /tmp/between.socket /run/service.socket
  Find out who holds a socket
    seqpacket ls /run/service.socket`,
      `"seqpacket COMMAND --help" tells more, with examples.
Exit codes: 0 done, 1 failed or nothing found, 2 wrong usage, 124 --timeout ran out.`,
    );

  connectCommand(program, finished);
  listenCommand(program, finished);
  lsCommand(program, finished);
  traceCommand(program, finished);
  replayCommand(program, finished);
  benchCommand(program, finished);

  program
    .command('completion')
    .summary('print a script for bash, zsh or fish')
    .description('Print a script that completes commands, options and addresses in a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .teach(
      `
  bash, for this session, and for all that follow
    source <(seqpacket completion bash)
    seqpacket completion bash > ~/.local/share/bash-completion/completions/seqpacket
  zsh, in a directory of $fpath
    seqpacket completion zsh > ~/.zfunc/_seqpacket
  fish
    seqpacket completion fish > ~/.config/fish/completions/seqpacket.fish`,
    )
    .action((shell: Shell) => {
      stdout.write(completionScript(program, shell));
      finished(EXIT.success, false);
    });

  program
    .command('manual')
    .summary('print the manual page')
    .description('Print the manual page.')
    .teach(
      `
  Read it where it is not installed, as with npx
    seqpacket manual | man -l -`,
    )
    .action(() => {
      stdout.write(manualPage(program));
      finished(EXIT.success, false);
    });

  return program;
}

/** What `connect` and `listen` have in common. */
function withMessageOptions(command: TeachingCommand): TeachingCommand {
  return command
    .option(
      '-d, --delimiter <text>',
      'what ends a message in the input, and follows it in the output; \\n \\r \\t \\0 \\xNN; empty: the whole input is one message; a line feed by default',
    )
    .addOption(
      new Option(
        '--keep-delimiter',
        'what ends a message in the input is a part of it, for services that expect it; the output is what comes, as it is',
      ).conflicts(['hex', 'base64', 'json']),
    )
    .addOption(new Option('-x, --hex', 'messages are lines of hex digits').conflicts(['base64', 'json']))
    .addOption(new Option('--base64', 'messages are lines of base64').conflicts(['hex', 'json']))
    .addOption(
      new Option(
        '-j, --json',
        'messages are lines of JSON: {"data": "text"} in, with "hex" or "base64" for bytes and "fds" for descriptors; out also with time, size, descriptors, credentials',
      ).conflicts(['hex', 'base64']),
    )
    .option(
      '-m, --message <line>',
      'send this, read like a line of input, and do not read standard input; may be repeated',
      collect,
    )
    .option('--send-empty', 'send empty lines as empty messages, which many peers take for the end of file')
    .option(
      '--fd <file|number>',
      'pass a descriptor along with the first message: a file opened for reading, or an open descriptor by its number; may be repeated',
      collectDescriptor,
    )
    .addOption(
      new Option(
        '--save-fds <directory>',
        'save what received files and pipes hold as MESSAGE-INDEX in a directory',
      ),
    )
    .option('--print-fds', 'print what received files and pipes hold')
    .option('-t, --timeout <seconds>', 'give up when nothing happens for so long', seconds)
    .option('-v, --verbose', 'tell on standard error who comes and goes');
}

function connectCommand(program: TeachingCommand, finished: Finished): void {
  withMessageOptions(
    program
      .command('connect')
      .summary('talk to a service')
      .description(
        `Connect to a service: each line of the input is sent as a message, each message that comes is printed as a line.

At the end of the input the connection is shut down for sending; what the service still says is printed until it closes. If the service is the first to end, what still comes as input within half a second of the last is sent. On a terminal Ctrl-D ends the input.`,
      )
      .argument('<address>', 'a path, or @name'),
  )
    .teach(
      `
  Talk to a service
    seqpacket connect /run/service.socket
  Send two messages, and print the answers as hex
    seqpacket connect --hex -m '01 02 ff' -m 00 @service
  Pass an open file, and one that the shell has opened for writing
    seqpacket connect -m 'store this' --fd /etc/hostname --fd 5 /run/store.socket 5>result
  Send a file as one message
    seqpacket connect --delimiter '' /run/service.socket < image.bin
  Messages that may hold anything, also line breaks, with all there is to know about each answer
    echo '{"data": "two\\nlines"}' | seqpacket connect --json /run/service.socket`,
    )
    .action(async (address: string, options: TalkOptions & FramingOptions) => {
      finished(await runConnect(address, framingOf(options), checked(options)), false);
    });
}

function listenCommand(program: TeachingCommand, finished: Finished): void {
  withMessageOptions(
    program
      .command('listen')
      .summary('be a service')
      .description(
        `Be a service: wait for a client, print its messages as lines, and send it the lines of the input.

Serves one client and ends with it; with --keep many, until it is interrupted: what they say is printed, the input goes to all who are there (in JSON {"connection": N, …} to one), and waits while nobody is.`,
      )
      .argument('<address>', 'a path, or @name'),
  )
    .option('-k, --keep', 'go on after the first client, and serve many at once')
    .option('--mode <octal>', 'the permissions of the socket file, for example 660', octal)
    .option('-e, --exec <command>', 'start this with /bin/sh for each client')
    .addOption(
      new Option(
        '--exec-as <how>',
        'what the command gets: "lines", messages as lines of its standard input, and its lines of output as messages; "fd", the socket as descriptor 3 (LISTEN_FDS=1); "stdio", the socket as standard input and output',
      )
        .choices(EXEC_AS)
        .default('lines'),
    )
    .teach(
      `
  Look at what a client says, and answer by hand
    seqpacket listen /tmp/mine.socket
  Collect the messages of all who come, as JSON
    seqpacket listen --keep --json --mode 666 /run/collector.socket >> messages.json
  A service in one line of shell: answer in capitals
    seqpacket listen --keep --exec "stdbuf -oL tr a-z A-Z" @capitals
  A program that inherits the connection, as from systemd with Accept=yes
    seqpacket listen --keep --exec ./serve-one --exec-as fd /tmp/mine.socket
  Hand an open file to the first who asks
    seqpacket listen -m 'here you are' --fd /etc/hostname @files`,
    )
    .action(async (address: string, options: ListenOptions & FramingOptions) => {
      const isEndless = options.keep === true;
      finished(await runListen(address, framingOf(options), checked(options)), isEndless);
    });
}

function lsCommand(program: TeachingCommand, finished: Finished): void {
  program
    .command('ls')
    .summary('list sockets, and the processes that hold them')
    .description(
      `List the SEQPACKET sockets of this machine: state, queues, peers, addresses, and the processes that hold them.

With an address only those that have it or are connected with it. RECV-Q is what waits to be received, in bytes, SEND-Q what the peer has not received yet; of listening sockets connections that wait, and how many may. "-> ADDRESS" is an unnamed socket, and whom it is connected with. Queues and peers come from ss of iproute2.`,
    )
    .argument('[address]', 'a path, or @name')
    .option('-l, --listening', 'listening sockets only')
    .option('-c, --connected', 'connected sockets only')
    .option('-j, --json', 'an array of objects')
    .option('-w, --watch [seconds]', 'again and again, every 2 seconds by default', seconds)
    .teach(
      `
  Who listens, and who is connected?
    sudo seqpacket ls
  Who holds this socket?
    seqpacket ls /run/service.socket
  The process ids of all its clients
    seqpacket ls --json @service | jq '.[] | select(.peerAddress != "") | .processes[].pid'
  Does the service keep up? Look at RECV-Q every second
    seqpacket ls --watch 1 /run/service.socket`,
    )
    .action(async (address: string | undefined, options: LsOptions & { watch?: number | true }) => {
      const watch = options.watch === (true as unknown) ? 2 : options.watch;
      finished(await runLs(address, { ...options, watch }), watch !== undefined);
    });
}

function traceCommand(program: TeachingCommand, finished: Finished): void {
  program
    .command('trace')
    .summary('see and record what goes over a socket')
    .description(
      `See what goes over a socket: stand between the clients and the service, forward every message whole, and show it.

Listens at one address, and connects to the other for each client. Descriptors, empty messages, ends of file and resets are forwarded too; a slow receiver makes the sender wait. "->" goes to the service, "<-" to the client. The service sees trace's process id and user in place of the client's. Ends when it is interrupted.`,
    )
    .argument('<listen>', 'where the clients are to connect')
    .argument('<connect>', 'where the service listens')
    .option('-b, --bytes <count>', 'how many bytes of each message to show, or "all"', byteCount, 256)
    .option('-j, --json', 'show lines of JSON')
    .option('-q, --quiet', 'show nothing')
    .option(
      '-w, --write <file>',
      'record to a file in the pcapng format, which Wireshark opens; - for standard output',
    )
    .option('--once', 'end with the first client')
    .option('--mode <octal>', 'the permissions of the socket file, for example 660', octal)
    .teach(
      `
  Watch what a client says to a service that it finds at a path of your choice
    seqpacket trace /tmp/between.socket /run/service.socket
  Put yourself in the place of a service that is running, without restarting it
    mv /run/service.socket /run/service.real
    seqpacket trace /run/service.socket /run/service.real; mv /run/service.real /run/service.socket
  Record, and look at it in Wireshark
    seqpacket trace --quiet --write talk.pcapng @between @service
    wireshark talk.pcapng
  Look at it in Wireshark while it happens
    seqpacket trace --write - @between @service | wireshark -k -i -`,
    )
    .action(async (listen: string, connect: string, options: TraceOptions) => {
      finished(await runTrace(listen, connect, options), true);
    });
}

function replayCommand(program: TeachingCommand, finished: Finished): void {
  program
    .command('replay')
    .summary('do again what was recorded')
    .description(
      `Do again what "trace --write" has recorded: send what the client sent, and compare the answers.

The order is kept: what was sent after an answer is sent when that answer has come. Each recorded connection is one connection, one after the other. Descriptors cannot be recorded: their messages are sent without. Exits with 1 if an answer differs.`,
    )
    .argument('<file>', 'a recording; - for standard input')
    .argument('<address>', 'a path, or @name')
    .option('--timing', 'keep the pace, too')
    .addOption(
      new Option(
        '--direction <part>',
        "whose part to play: the client's, or the server's, which listens at the address",
      )
        .choices(['client', 'server'])
        .default('client'),
    )
    .option('-n, --connection <number>', 'this connection only', whole)
    .option('--any-answer', 'do not compare the answers')
    .option('-t, --timeout <seconds>', 'how long to wait for each answer', seconds, 5)
    .option('-b, --bytes <count>', 'how many bytes of each message to show, or "all"', byteCount, 256)
    .option('-q, --quiet', 'show differences only')
    .teach(
      `
  Does the new version still give the same answers?
    seqpacket trace --write talk.pcapng /tmp/between.socket /run/service.socket
    seqpacket replay talk.pcapng /run/new-version.socket
  Stand in for the service, for the clients that were recorded
    seqpacket replay --direction server talk.pcapng /tmp/mine.socket`,
    )
    .action(async (file: string, address: string, options: ReplayOptions) => {
      finished(await runReplay(file, address, options), false);
    });
}

function benchCommand(program: TeachingCommand, finished: Finished): void {
  program
    .command('bench')
    .summary('measure latency and throughput')
    .description(
      `Measure latency and throughput: with a second process of its own, or with a service that gives every message back.`,
    )
    .argument('[address]', 'a path, or @name')
    .option('-s, --size <bytes>', 'the size of each message', whole, 64)
    .option('-d, --duration <seconds>', 'how long to measure each of the two', seconds, 2)
    .option('-j, --json', 'the figures as JSON')
    .teach(
      `
  How fast are these sockets here?
    seqpacket bench
  How fast is an echo service, with messages of 4 KiB?
    socat UNIX-LISTEN:/tmp/echo.socket,type=5,fork EXEC:/bin/cat,nofork &
    seqpacket bench --size 4096 /tmp/echo.socket`,
    )
    .action(
      async (address: string | undefined, options: { size: number; duration: number; json?: boolean }) => {
        finished(await runBench(address, options), false);
      },
    );
}

function framingOf({ delimiter, hex, base64, json, keepDelimiter }: FramingOptions): Framing {
  const coding: Coding = hex ? 'hex' : base64 ? 'base64' : json ? 'json' : 'text';
  if (coding === 'json' && delimiter !== undefined) {
    throw new Failure('--json is by lines: it takes no --delimiter', EXIT.usage);
  }
  return new Framing(coding, parseDelimiter(delimiter ?? '\\n'), keepDelimiter);
}

function checked<T extends TalkOptions & FramingOptions & Partial<ListenOptions>>(options: T): T {
  if (options.json && options.printFds) {
    throw new Failure('--print-fds would get between the lines of --json: use --save-fds', EXIT.usage);
  }
  if (options.exec !== undefined) {
    if (options.message !== undefined || options.fd !== undefined) {
      throw new Failure('with --exec the command speaks: there is no --message and no --fd', EXIT.usage);
    }
    if (options.saveFds !== undefined || options.printFds) {
      throw new Failure('with --exec descriptors are for the command: see --exec-as fd', EXIT.usage);
    }
  } else if (options.execAs !== undefined && options.execAs !== 'lines') {
    throw new Failure('--exec-as needs --exec', EXIT.usage);
  }
  return options;
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function collectDescriptor(value: string, previous: (string | number)[] = []): (string | number)[] {
  return [...previous, /^\d+$/.test(value) ? Number(value) : value];
}

function seconds(value: string): number {
  const number = Number(value);
  // setTimeout takes no more than 2^31 ms.
  if (value.trim() === '' || !(number > 0 && number < 2_000_000)) {
    throw new InvalidArgumentError('A number of seconds, greater than 0.');
  }
  return number;
}

function whole(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('A whole number, 1 or greater.');
  return Number(value);
}

function byteCount(value: string): number {
  if (value === 'all') return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('A number, or "all".');
  return Number(value);
}

function octal(value: string): number {
  if (!/^[0-7]{3,4}$/.test(value)) throw new InvalidArgumentError('Octal permissions, as for chmod(1).');
  return Number.parseInt(value, 8);
}
