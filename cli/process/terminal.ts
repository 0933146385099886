/** Terminals: colours, escaped control characters, remarks on standard error. */
import type { WriteStream } from 'node:tty';

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;

export type Style = keyof typeof STYLES;

function hasColours(stream: NodeJS.WriteStream): boolean {
  if ((process.env['NO_COLOR'] ?? '') !== '') return false;
  return stream.isTTY === true && (stream as WriteStream).hasColors();
}

const coloursOnStdout = hasColours(process.stdout);
const coloursOnStderr = hasColours(process.stderr);

function styled(enabled: boolean, style: Style, text: string): string {
  return enabled && text !== '' ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** Styles text for standard output. */
export function paint(style: Style, text: string): string {
  return styled(coloursOnStdout, style, text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are to be escaped
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are to be escaped
const CONTROL_IN_LINES = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

function escapeCharacter(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** Escapes control characters, so that the text is one line and cannot control the terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, escapeCharacter);
}

/** The same, but keeps line feeds and tabs. */
export function printableLines(text: string): string {
  return text.replace(CONTROL_IN_LINES, escapeCharacter);
}

/** A prompt on the same terminal replaces this, to print above itself. */
let writeRemark = (line: string): void => {
  process.stderr.write(line);
};

export function redirectRemarks(write: (line: string) => void): void {
  writeRemark = write;
}

/** Prints one line on standard error. */
export function printRemark(text: string): void {
  writeRemark(`${styled(coloursOnStderr, 'dim', 'seqpacket:')} ${printable(text)}\n`);
}

export function printError(text: string): void {
  writeRemark(`${styled(coloursOnStderr, 'red', 'seqpacket:')} ${printable(text)}\n`);
}

export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}
