/** How the processes at both ends are named. */
import type { EndDescription } from '../../frames.js';
import type { Connection } from './connection.js';

/** The program and its first arguments, without directories: `python3 service.py`. */
export function programOf(command: string): string {
  return command
    .split(' ')
    .slice(0, 3)
    .map((word) => (/^\.{0,2}\//.test(word) ? word.slice(word.lastIndexOf('/') + 1) : word))
    .join(' ');
}

export function nameOf(end: EndDescription | undefined): string {
  if (end === undefined) return 'unknown';
  return end.command === '' ? `pid ${end.pid}` : programOf(end.command);
}

export function userOf({ user, uid }: EndDescription): string {
  return user === '' ? `uid ${uid}` : user;
}

export function describeEnd(end: EndDescription): string {
  return `pid ${end.pid}, ${userOf(end)}`;
}

/** One line for a connection: its client, or all that a recording knows. */
export function titleOf(connection: Connection): string {
  return connection.client === undefined ? connection.peers : nameOf(connection.client);
}
