/** The manual page, made of the help texts: roff for man(7). */

import { version } from '../process/version.js';
import type { TeachingCommand } from './command.js';

export function manualPage(program: TeachingCommand): string {
  const help = program.createHelp();
  const lines = [
    `.TH SEQPACKET 1 "" "seqpacket ${version}" "User Commands"`,
    '.SH NAME',
    'seqpacket \\- talk to, list and trace AF_UNIX SOCK_SEQPACKET sockets',
    '.SH SYNOPSIS',
  ];
  for (const command of program.commands as TeachingCommand[]) {
    lines.push('.br', `.B seqpacket ${escaped(command.name())}`, escaped(command.usage()));
  }
  lines.push('.SH DESCRIPTION', ...paragraphs(program.description()));
  for (const command of program.commands as TeachingCommand[]) {
    lines.push(`.SH ${escaped(command.name().toUpperCase())}`);
    lines.push(`.B seqpacket ${escaped(command.name())}`, escaped(command.usage()), '.PP');
    lines.push(...paragraphs(command.description()));
    for (const option of help.visibleOptions(command)) {
      lines.push('.TP', `.B ${escaped(option.flags)}`, escaped(help.optionDescription(option)));
    }
    if (command.examples !== '') lines.push('.PP', 'Examples:', ...exampleLines(command.examples));
  }
  lines.push('.SH EXAMPLES', ...exampleLines(program.examples));
  lines.push(
    '.SH SEE ALSO',
    '.BR unix (7), .BR ss (8), .BR socat (1), .BR wireshark (1)'.replaceAll(', .BR', ',\n.BR'),
  );
  return `${lines.join('\n')}\n`;
}

/** A backslash, a hyphen that is one, and what begins a request at the start of a line. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function paragraphs(text: string): string[] {
  return text
    .split('\n\n')
    .flatMap((paragraph, index) => [...(index > 0 ? ['.PP'] : []), escaped(paragraph)]);
}

/** Sentences are indented by two characters, and what to type by four. */
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
    lines.push(escaped(line.trim()));
  }
  if (isCode) lines.push('.EE', '.RE');
  return lines;
}
