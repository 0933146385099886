/** The definition of `seqpacket show`. */
import { basename } from 'node:path';
import { Option } from 'commander';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { expression, portNumber, positiveInteger, size } from '../command-line/option-values.js';
import { serveRecording } from '../inspector/serve-recording.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { runShow, type ShowOptions, selectedOf } from '../trace/show.js';
import { addDisplayOptions, portOf, type WebOption } from './display-options.js';

export function addShow(program: DocumentedCommand, report: ReportResult): void {
  const command = program
    .command('show')
    .summary('print a recording')
    .description(
      `Print a recording of "trace --write", as "trace" has printed the traffic.

--direction, --min-size, --max-size, --match and --descriptors select messages: with one of them, only messages are printed that fit all of them. Exits with 1 if there are none. --web runs until it is interrupted.`,
    )
    .argument('<file>', 'a recording; - for standard input');
  addDisplayOptions(command)
    .option('-n, --connection <number>', 'print only this connection', positiveInteger)
    .addOption(new Option('--direction <part>', 'only messages from this side').choices(['client', 'server']))
    .option('--min-size <bytes>', 'only messages of at least this size', size)
    .option('--max-size <bytes>', 'only messages of at most this size', size)
    .option('--match <regex>', 'only messages whose contents match', expression)
    .option('--descriptors', 'only messages with descriptors')
    .addOption(
      new Option(
        '--web [port]',
        'show the recording in a browser: print the address to open, which is on 127.0.0.1 at this port, or at a free one',
      )
        .argParser(portNumber)
        .conflicts(['bytes', 'json', 'text']),
    )
    .addExamples(
      `
  Print a recording, with contents as text
    seqpacket show --text talk.pcapng
  Find the answers that contain an error
    seqpacket show --text --direction server --match '"error"' talk.pcapng
  Count the messages of each connection
    seqpacket show --json --min-size 0 talk.pcapng | jq .connection | sort | uniq -c
  Show a recording in a browser
    seqpacket show talk.pcapng --web
  Print the traffic of another machine
    ssh example.org seqpacket trace --write - @between @service | seqpacket show -`,
    )
    .action(async (file: string, { web, ...options }: ShowOptions & WebOption) => {
      const port = portOf(web);
      if (port === undefined) report(await runShow(file, options), false);
      else report(await showInBrowser(file, options, port), true);
    });
}

async function showInBrowser(file: string, options: ShowOptions, port: number): Promise<undefined> {
  if (file === '-')
    throw new Failure('--web needs a file, because each page reads it from the start', EXIT.usage);
  // Finds what is wrong with the file or the selection before a page is opened.
  for await (const recorded of selectedOf(file, options, true)) if (recorded.type === 'message') break;
  await serveRecording(() => selectedOf(file, options, true), basename(file), port);
}
