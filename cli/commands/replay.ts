/** The definition of `seqpacket replay`. */
import { Option } from 'commander';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { byteCount, collectExpression, positiveInteger, seconds } from '../command-line/option-values.js';
import { type ReplayOptions, runReplay } from '../trace/replay.js';

export function addReplay(program: DocumentedCommand, report: ReportResult): void {
  program
    .command('replay')
    .summary('replay a recording, and compare the answers')
    .description(
      `Replay a recording of "trace --write": send the messages of the client, and compare the answers.

The order is preserved: a message that was sent after an answer is sent once that answer has been received. Recorded connections are replayed one after the other. A recording contains no descriptors; messages are sent without them. Exits with 1 if an answer differs.`,
    )
    .argument('<file>', 'a recording; - for standard input')
    .argument('<address>', 'a path, or @name')
    .option('--timing', 'send at the recorded intervals')
    .addOption(
      new Option('--direction <part>', 'the side to replay; "server" listens at the address')
        .choices(['client', 'server'])
        .default('client'),
    )
    .option('-n, --connection <number>', 'replay only this connection', positiveInteger)
    .option('--any-answer', 'do not compare the answers')
    .addOption(
      new Option(
        '--ignore <regex>',
        'do not compare the parts of answers that match, such as times and ids; can be repeated',
      )
        .argParser(collectExpression)
        .conflicts('anyAnswer'),
    )
    .option('-t, --timeout <seconds>', 'the maximum wait for each answer', seconds, 5)
    .option('-b, --bytes <count>', 'the number of bytes to show of each message, or "all"', byteCount, 256)
    .option('-q, --quiet', 'print differences only')
    .addExamples(
      `
  Compare the answers of a new version with the recorded ones
    seqpacket trace --write talk.pcapng /tmp/between.socket /run/service.socket
    seqpacket replay talk.pcapng /run/new-version.socket
  The same, with answers that contain a time and a number
    seqpacket replay --ignore '\\d\\d:\\d\\d:\\d\\d' --ignore '"id": *\\d+' talk.pcapng /run/new-version.socket
  Replace the service for a client of the recording
    seqpacket replay --direction server talk.pcapng /tmp/mine.socket`,
    )
    .action(async (file: string, address: string, options: ReplayOptions) => {
      report(await runReplay(file, address, options), false);
    });
}
