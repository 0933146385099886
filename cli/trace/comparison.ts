/** Compares a received message with the recorded one. */
import { isUtf8 } from 'node:buffer';

/** Stands for each part that is not compared. UTF-8 and Latin-1 cannot contain it. */
const IGNORED = '\ud800';

/**
 * Whether the messages are the same, except for parts that match the expressions. Both are compared as text: UTF-8 if
 * both are, otherwise Latin-1, in which each byte is a character.
 */
export function isSame(a: Buffer, b: Buffer, ignored: readonly RegExp[] = []): boolean {
  if (a.equals(b)) return true;
  if (ignored.length === 0) return false;
  const encoding = isUtf8(a) && isUtf8(b) ? 'utf8' : 'latin1';
  const [first, second] = [a, b].map((data) => withoutIgnored(data.toString(encoding), ignored));
  return first === second;
}

function withoutIgnored(text: string, ignored: readonly RegExp[]): string {
  let result = text;
  for (const each of ignored) {
    const all = new RegExp(each.source, `${each.flags}g`);
    result = result.replace(all, (match) => (match === '' ? '' : IGNORED));
  }
  return result;
}
