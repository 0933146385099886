/** The options of `trace` and `show` that select the form of the output. */
import { Option } from 'commander';
import type { DocumentedCommand } from '../command-line/command.js';
import { byteCount } from '../command-line/option-values.js';

/** `--web` */
export interface WebOption {
  /** True without a port. */
  web?: number | true;
}

/** The port of `--web`; 0: a free one. */
export function portOf(web: number | true | undefined): number | undefined {
  return web === true ? 0 : web;
}

export function addDisplayOptions(command: DocumentedCommand): DocumentedCommand {
  return command
    .option(
      '-b, --bytes <count>',
      'the number of bytes to show of each message, or "all" (default: 256; with --text: all)',
      byteCount,
    )
    .addOption(
      new Option(
        '--text',
        'show contents as text: whole lines, and JSON laid out; contents that are mostly no text as hex',
      ).conflicts('json'),
    )
    .option('-j, --json', 'print lines of JSON');
}
