#!/usr/bin/env node
/** The command `seqpacket`. */
import { type Command, CommanderError } from 'commander';
import { ECHO_COMMAND, echo } from './bench/echo.js';
import { createProgram } from './commands/program.js';
import { EXIT } from './process/exit-codes.js';
import { Failure, reasonOf } from './process/failure.js';
import { stdout } from './process/output.js';
import { exitCodeOfStop, stopOnSignals, stopped } from './process/stopping.js';
import { tellFailure } from './process/terminal.js';

async function run(args: string[]): Promise<number> {
  if (args[0] === ECHO_COMMAND) {
    await echo();
    return EXIT.success;
  }
  let exitCode: number = EXIT.success;
  const program = createProgram((code, isEndless) => {
    exitCode = code ?? (stopped.aborted ? exitCodeOfStop(isEndless) : EXIT.success);
  });
  for (const command of [program, ...program.commands]) quiet(command);
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  await program.parseAsync(args, { from: 'user' });
  return exitCode;
}

/** Errors are thrown; they are told below, in one line. */
function quiet(command: Command): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (text) => stdout.write(text), outputError: () => {} });
}

function codeOfFailure(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version were asked for, and given.
    if (error.exitCode === 0) return EXIT.success;
    const text = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    tellFailure(
      `${text} (try "seqpacket ${error.code === 'commander.unknownCommand' ? '' : `${commandGiven} `}--help")`,
    );
    return EXIT.usage;
  }
  tellFailure(reasonOf(error));
  return error instanceof Failure ? error.exitCode : EXIT.failure;
}

const args = process.argv.slice(2);
const commandGiven = args[0]?.startsWith('-') ? '' : args[0];
stopOnSignals();
const code = await run(args).catch(codeOfFailure);
await stdout.flushed();
// Not by itself: standard input may be open for ever.
process.exit(stdout.error === undefined ? code : exitCodeOfStop(true) || EXIT.failure);
