/** The options that `connect` and `listen` share. */
import { Option } from 'commander';
import type { DocumentedCommand } from '../command-line/command.js';
import { collect, collectDescriptor, seconds } from '../command-line/option-values.js';
import type { ConversationOptions } from '../conversation/session.js';
import { type Coding, Framing, parseDelimiter } from '../messages/framing.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';

export interface MessageOptions extends ConversationOptions {
  delimiter?: string;
  hex?: boolean;
  base64?: boolean;
  json?: boolean;
  keepDelimiter?: boolean;
}

export function addMessageOptions(command: DocumentedCommand): DocumentedCommand {
  return command
    .option(
      '-d, --delimiter <text>',
      'the end of each message in the input, also printed after each received message; escapes: \\n \\r \\t \\0 \\xNN; empty: the whole input is one message; default: a line feed',
    )
    .addOption(
      new Option(
        '--keep-delimiter',
        'the delimiter is part of each sent message, as some services expect; received messages are printed unchanged',
      ).conflicts(['hex', 'base64', 'json']),
    )
    .addOption(new Option('-x, --hex', 'messages are lines of hex digits').conflicts(['base64', 'json']))
    .addOption(new Option('--base64', 'messages are lines of base64').conflicts(['hex', 'json']))
    .addOption(
      new Option(
        '-j, --json',
        'messages are lines of JSON; input: {"data": "text"}, with "hex" or "base64" for bytes and "fds" for descriptors; output: also time, size, descriptors, credentials',
      ).conflicts(['hex', 'base64']),
    )
    .option(
      '-m, --message <line>',
      'send this message, in the format of an input line, instead of standard input; can be repeated',
      collect,
    )
    .option('--send-empty', 'send empty lines as empty messages, which many peers take for the end of file')
    .option(
      '--fd <file|number>',
      'pass a descriptor with the first message: a file, opened for reading, or the number of an open descriptor; can be repeated',
      collectDescriptor,
    )
    .option(
      '--save-fds <directory>',
      'save the contents of received files and pipes in a directory, as MESSAGE-INDEX',
    )
    .option('--print-fds', 'print the contents of received files and pipes')
    .option('-t, --timeout <seconds>', 'exit with 124 after this time without activity', seconds)
    .option('-v, --verbose', 'report on standard error when connections open and end');
}

/** @throws {Failure} if the options contradict each other */
export function framingOf(options: MessageOptions): Framing {
  const { delimiter, hex, base64, json, keepDelimiter, printFds } = options;
  if (json && delimiter !== undefined) {
    throw new Failure('--delimiter cannot be used with --json: each message is a line', EXIT.usage);
  }
  if (json && printFds) {
    throw new Failure('--print-fds cannot be used with --json: use --save-fds', EXIT.usage);
  }
  const coding: Coding = hex ? 'hex' : base64 ? 'base64' : json ? 'json' : 'text';
  return new Framing(coding, parseDelimiter(delimiter ?? '\\n'), keepDelimiter);
}
