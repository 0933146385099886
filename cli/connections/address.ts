/** Addresses on the command line: a path, or `@name` in Linux's abstract namespace. */
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';

/** Returns the address in the library's form: an abstract name begins with NUL. */
export function parseAddress(text: string): string {
  if (text === '' || text === '@') {
    throw new Failure('an address is a path, or @name for an abstract name', EXIT.usage);
  }
  return text.startsWith('@') ? `\0${text.slice(1)}` : text;
}
