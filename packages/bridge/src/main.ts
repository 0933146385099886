#!/usr/bin/env node
/** The command `seqpacket-bridge`: runs one end of a bridge until a signal, reports errors, and exits. */
import { errors } from '@nats-io/transport-node';
import { CommanderError } from 'commander';
import type { Bridge } from './end.js';
import { EXIT } from './exit-codes.js';
import { codeOf, Failure, reasonOf } from './failure.js';
import { joinOverNats } from './join.js';
import { jsonLine, type LogEvent, textLine } from './log.js';
import { natsOptions } from './nats-options.js';
import type { BridgeOptions } from './options.js';
import { type CommonArguments, createProgram } from './program.js';
import { serveOverNats } from './serve.js';

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hungUp } as const;

const program = createProgram({
  serve: (subject, address, given) =>
    run(subject, address, given, (options) => serveOverNats({ ...options, queue: given.queue })),
  join: (subject, address, given) =>
    run(subject, address, given, (options) => joinOverNats({ ...options, mode: given.mode })),
});

async function run(
  subject: string,
  address: string,
  given: CommonArguments,
  start: (options: BridgeOptions) => Promise<Bridge>,
): Promise<void> {
  const log = (event: LogEvent) => {
    const line = given.json ? jsonLine(event) : textLine(event);
    if (!given.quiet) process.stdout.write(`${printable(line)}\n`);
  };
  let bridge: Bridge | undefined;
  handleSignals(() => bridge);
  process.on('SIGUSR2', () => {
    if (bridge !== undefined) log(countersEvent(bridge));
  });
  bridge = await start({
    subject,
    address: parseAddress(address),
    nats: natsOptions(given),
    heartbeatEvery: given.heartbeat * 1000,
    deadAfter: given.dead === undefined ? undefined : given.dead * 1000,
    maxSessions: given.maxSessions,
    log,
  }).catch((error: unknown) => {
    throw explained(error, given, address);
  });
  await bridge.closed;
}

/** The first signal drains. The second one ends the sessions. Before there is a bridge, a signal ends the process. */
function handleSignals(running: () => Bridge | undefined): void {
  let isDraining = false;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      const bridge = running();
      if (bridge === undefined) process.exit(exitCode);
      if (isDraining) void bridge.close().finally(() => process.exit(exitCode));
      else void bridge.drain();
      isDraining = true;
    });
  }
}

function countersEvent(bridge: Bridge): LogEvent {
  return { event: 'counters', ...bridge.counters, nats: bridge.natsStats() };
}

/** Returns the address in the library's form: an abstract name begins with NUL. */
function parseAddress(text: string): string {
  if (text === '' || text === '@') {
    throw new Failure('an address is a path, or @name for an abstract name', EXIT.usage);
  }
  return text.startsWith('@') ? `\0${text.slice(1)}` : text;
}

const LISTEN_ADVICE: Record<string, string> = {
  EADDRINUSE: 'the address is in use, or another file exists there',
  EACCES: 'permission denied: you may not create a file in that directory',
  ENOENT: 'the directory does not exist: create it first',
};

function explained(error: unknown, given: CommonArguments, address: string): unknown {
  const { server = [], tlsCa, tlsCert } = given;
  if (error instanceof Failure) return error;
  if (error instanceof TypeError || error instanceof RangeError)
    return new Failure(error.message, EXIT.usage);
  const { syscall } = error as { syscall?: string };
  const code = codeOf(error);
  if (syscall === 'bind' || syscall === 'listen') {
    return new Failure(
      `cannot listen at ${address}: ${LISTEN_ADVICE[code ?? ''] ?? reasonOf(error)} (${code})`,
    );
  }
  const where = server.length === 0 ? '' : ` at ${server.join(', ')}`;
  // After a TLS handshake of version 1.3, the client of NATS does not report that the server refuses its certificate.
  const isRefusal = error instanceof errors.TimeoutError && (tlsCa !== undefined || tlsCert !== undefined);
  const advice = isRefusal
    ? " (if the server verifies clients, its log says whether it refused the bridge's certificate)"
    : '';
  return new Failure(`no connection to NATS${where}: ${reasonOf(error)}${advice}`);
}

/** Control characters, line and paragraph separators, and those that change the direction of text. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Names and reasons come from other machines: they must not control the terminal. The form is that of JSON. */
function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function printError(text: string): void {
  process.stderr.write(`seqpacket-bridge: ${printable(text)}\n`);
}

/** Reports an error, and returns the exit code. */
function reportError(error: unknown): number {
  if (error instanceof CommanderError) {
    // --help and --version.
    if (error.exitCode === 0) return EXIT.success;
    printError(
      `${error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')} (try "seqpacket-bridge --help")`,
    );
    return EXIT.usage;
  }
  printError(reasonOf(error));
  return error instanceof Failure ? error.exitCode : EXIT.failure;
}

// A reader that has closed the log does not end the sessions.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

for (const command of [program, ...program.commands]) {
  command.exitOverride();
  command.configureOutput({ outputError: () => {} });
}
const args = process.argv.slice(2);
if (args.length === 0) {
  program.outputHelp({ error: true });
  process.exit(EXIT.usage);
}
const code = await program
  .parseAsync(args, { from: 'user' })
  .then(() => EXIT.success)
  .catch(reportError);
process.exit(code);
