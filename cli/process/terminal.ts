/** What is for people's eyes: colours, characters that a terminal would obey, remarks beside the output. */
import type { WriteStream } from 'node:tty';

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;

export type Style = keyof typeof STYLES;

function isColourful(stream: NodeJS.WriteStream): boolean {
  if ((process.env['NO_COLOR'] ?? '') !== '') return false;
  return stream.isTTY === true && (stream as WriteStream).hasColors();
}

const onOutput = isColourful(process.stdout);
const onError = isColourful(process.stderr);

function styled(enabled: boolean, style: Style, text: string): string {
  return enabled && text !== '' ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** Text for standard output. */
export function paint(style: Style, text: string): string {
  return styled(onOutput, style, text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROL_IN_LINES = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** In one line, and with nothing that a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(CONTROL, escaped);
}

/** The same, but lines and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(CONTROL_IN_LINES, escaped);
}

/** Where remarks go; a prompt on the same terminal has to be moved out of their way. */
let remark = (line: string): void => {
  process.stderr.write(line);
};

export function setRemarks(write: (line: string) => void): void {
  remark = write;
}

/** A remark beside the output: one line on standard error. */
export function tell(text: string): void {
  remark(`${styled(onError, 'dim', 'seqpacket:')} ${printable(text)}\n`);
}

export function tellFailure(text: string): void {
  remark(`${styled(onError, 'red', 'seqpacket:')} ${printable(text)}\n`);
}

export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}
