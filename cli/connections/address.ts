/** Addresses as people write them: a path, or `@name` in Linux's abstract namespace. */
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { printable } from '../process/terminal.js';

/** What the library takes: an abstract name begins with NUL. */
export function parseAddress(text: string): string {
  if (text === '' || text === '@') {
    throw new Failure('an address is a path, or @name for an abstract name', EXIT.usage);
  }
  return text.startsWith('@') ? `\0${text.slice(1)}` : text;
}

/** As parseAddress takes it; `''` for an unnamed end. */
export function showAddress(path: string | Buffer): string {
  return printable(String(path).replaceAll('\0', '@'));
}
