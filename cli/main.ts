#!/usr/bin/env node
/** The command `seqpacket`: runs the command line, reports errors, and exits. */
import { type Command, CommanderError } from 'commander';
import { ECHO_COMMAND, echo } from './bench/echo.js';
import { createProgram } from './commands/program.js';
import { EXIT } from './process/exit-codes.js';
import { Failure, reasonOf } from './process/failure.js';
import { stdout } from './process/output.js';
import { exitCodeOfStop, stopOnSignals, stopSignal } from './process/stopping.js';
import { printError } from './process/terminal.js';

async function run(args: string[]): Promise<number> {
  if (args[0] === ECHO_COMMAND) {
    await echo(args[1]);
    return EXIT.success;
  }
  let exitCode: number = EXIT.success;
  const program = createProgram((code, isEndless) => {
    exitCode = code ?? (stopSignal.aborted ? exitCodeOfStop(isEndless) : EXIT.success);
  });
  for (const command of [program, ...program.commands]) throwErrors(command);
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  await program.parseAsync(args, { from: 'user' });
  return exitCode;
}

/** Makes commander throw errors, which are reported below in one line. */
function throwErrors(command: Command): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (text) => stdout.write(text), outputError: () => {} });
}

/** Reports an error, and returns the exit code. */
function reportError(error: unknown): number {
  if (error instanceof CommanderError) {
    // --help and --version.
    if (error.exitCode === 0) return EXIT.success;
    const text = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    printError(
      `${text} (try "seqpacket ${error.code === 'commander.unknownCommand' ? '' : `${commandGiven} `}--help")`,
    );
    return EXIT.usage;
  }
  printError(reasonOf(error));
  return error instanceof Failure ? error.exitCode : EXIT.failure;
}

const args = process.argv.slice(2);
const commandGiven = args[0]?.startsWith('-') ? '' : args[0];
stopOnSignals();
const code = await run(args).catch(reportError);
await stdout.flush();
// Explicitly: an open standard input would keep the process alive.
process.exit(stdout.error === undefined ? code : exitCodeOfStop(true) || EXIT.failure);
