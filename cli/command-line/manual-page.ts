/** The manual page in roff (man(7)), made from the definitions of the commands. */

import { version } from '../process/version.js';
import type { DocumentedCommand } from './command.js';

export function manualPage(program: DocumentedCommand): string {
  const help = program.createHelp();
  const lines = [
    `.TH SEQPACKET 1 "" "seqpacket ${version}" "User Commands"`,
    '.SH NAME',
    'seqpacket \\- connect to, list and trace AF_UNIX SOCK_SEQPACKET sockets',
    '.SH SYNOPSIS',
  ];
  for (const command of program.commands as DocumentedCommand[]) {
    lines.push('.br', `.B seqpacket ${escapeRoff(command.name())}`, escapeRoff(command.usage()));
  }
  lines.push('.SH DESCRIPTION', ...paragraphs(program.description()));
  for (const command of program.commands as DocumentedCommand[]) {
    lines.push(`.SH ${escapeRoff(command.name().toUpperCase())}`);
    lines.push(`.B seqpacket ${escapeRoff(command.name())}`, escapeRoff(command.usage()), '.PP');
    lines.push(...paragraphs(command.description()));
    for (const option of help.visibleOptions(command)) {
      lines.push('.TP', `.B ${escapeRoff(option.flags)}`, escapeRoff(help.optionDescription(option)));
    }
    if (command.examples !== '') lines.push('.PP', 'Examples:', ...exampleLines(command.examples));
  }
  lines.push('.SH EXAMPLES', ...exampleLines(program.examples));
  lines.push('.SH SEE ALSO', '.BR unix (7),', '.BR ss (8),', '.BR socat (1),', '.BR wireshark (1)');
  return `${lines.join('\n')}\n`;
}

/** Escapes backslashes, hyphens, and control characters of roff at the start of a line. */
function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function paragraphs(text: string): string[] {
  return text
    .split('\n\n')
    .flatMap((paragraph, index) => [...(index > 0 ? ['.PP'] : []), escapeRoff(paragraph)]);
}

/** Converts examples in the form of `DocumentedCommand.examples`. */
function exampleLines(text: string): string[] {
  const lines: string[] = [];
  let isCode = false;
  for (const line of text.split('\n')) {
    const isCodeNow = line.startsWith('    ');
    if (isCode && !isCodeNow) lines.push('.EE', '.RE');
    if (!isCode && isCodeNow) lines.push('.RS', '.EX');
    isCode = isCodeNow;
    if (line.trim() === '') continue;
    if (!isCodeNow) lines.push('.PP');
    lines.push(escapeRoff(line.trim()));
  }
  if (isCode) lines.push('.EE', '.RE');
  return lines;
}
