/** Processes and users: /proc/PID/cmdline (proc(5)), /etc/passwd (passwd(5)). */
import { readFileSync } from 'node:fs';

/** Longer command lines are cut. */
const MAX_COMMAND_LENGTH = 4096;

/** The command line with its arguments; `''` if the process has ended. */
export function commandOf(pid: number): string {
  try {
    const parts = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return parts.join(' ').trim().slice(0, MAX_COMMAND_LENGTH);
  } catch {
    return '';
  }
}

let userNames: Map<number, string> | undefined;

/** `''` if the user is unknown. */
export function userNameOf(uid: number): string {
  userNames ??= readUserNames();
  return userNames.get(uid) ?? '';
}

function readUserNames(): Map<number, string> {
  const names = new Map<number, string>();
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const [name, , uid] = line.split(':');
      // The first name of a user counts, as for getpwuid(3).
      if (name && uid && !names.has(Number(uid))) names.set(Number(uid), name);
    }
  } catch {
    // Users have no names on this system.
  }
  return names;
}
