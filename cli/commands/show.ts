/** The definition of `seqpacket show`. */
import { Option } from 'commander';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { expression, positiveInteger, size } from '../command-line/option-values.js';
import { runShow, type ShowOptions } from '../trace/show.js';
import { addDisplayOptions } from './display-options.js';

export function addShow(program: DocumentedCommand, report: ReportResult): void {
  const command = program
    .command('show')
    .summary('print a recording')
    .description(
      `Print a recording of "trace --write", as "trace" has printed the traffic.

--direction, --min-size, --max-size, --match and --descriptors select messages: with one of them, only messages are printed that fit all of them. Exits with 1 if there are none.`,
    )
    .argument('<file>', 'a recording; - for standard input');
  addDisplayOptions(command)
    .option('-n, --connection <number>', 'print only this connection', positiveInteger)
    .addOption(new Option('--direction <part>', 'only messages from this side').choices(['client', 'server']))
    .option('--min-size <bytes>', 'only messages of at least this size', size)
    .option('--max-size <bytes>', 'only messages of at most this size', size)
    .option('--match <regex>', 'only messages whose contents match', expression)
    .option('--descriptors', 'only messages with descriptors')
    .addExamples(
      `
  Print a recording, with contents as text
    seqpacket show --text talk.pcapng
  Find the answers that contain an error
    seqpacket show --text --direction server --match '"error"' talk.pcapng
  Count the messages of each connection
    seqpacket show --json --min-size 0 talk.pcapng | jq .connection | sort | uniq -c
  Print the traffic of another machine
    ssh example.org seqpacket trace --write - @between @service | seqpacket show -`,
    )
    .action(async (file: string, options: ShowOptions) => {
      report(await runShow(file, options), false);
    });
}
