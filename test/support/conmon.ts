/** conmon, podman's container monitor, with a workload that is no container. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { unsanitizedEnvironment } from './programs.js';
import { exists, scratchDirectory } from './scratch.js';

const WORKLOAD = 'while read line; do echo "got $line"; done; echo over';

/**
 * Starts it with a command of the shell, by default one that says "got LINE" for each line, and "over" at the end.
 *
 * @returns its attach socket
 */
export async function startConmon(t: TestContext, workload = WORKLOAD): Promise<string> {
  const directory = scratchDirectory();
  for (const name of ['bundle', 'exits', 'sockets']) mkdirSync(`${directory}/${name}`);
  const runtime = `#!/bin/sh
while [ $# -gt 0 ]; do case $1 in --pid-file) pid=$2; shift;; create) create=1;; esac; shift; done
[ -n "$create" ] || exit 0
exec 3<&0
sh -c '${workload}' <&3 3<&- &
printf %s $! > "$pid"
`;
  writeFileSync(`${directory}/runtime`, runtime, { mode: 0o755 });
  const args = ['--api-version', '1', '-c', 'c1', '-u', 'c1', '-n', 'c1', '-r', `${directory}/runtime`];
  args.push('-b', `${directory}/bundle`, '-p', `${directory}/pid`, '-P', `${directory}/conmon-pid`);
  args.push('-l', `k8s-file:${directory}/log`, '--exit-dir', `${directory}/exits`);
  args.push('--socket-dir-path', `${directory}/sockets`, '--full-attach', '-i');
  // It lives on in the background until its workload ends.
  const [code] = await once(
    spawn('conmon', args, { stdio: 'ignore', env: unsanitizedEnvironment() }),
    'exit',
  );
  assert.equal(code, 0);
  const files = ['pid', 'conmon-pid'].map((name) => `${directory}/${name}`);
  for (const file of files) await exists(file);
  const pids = files.map((file) => Number(readFileSync(file, 'utf8')));
  t.after(() => {
    for (const pid of pids) endProcess(pid);
  });
  await exists(`${directory}/bundle/attach`);
  return `${directory}/bundle/attach`;
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself, as it should.
  }
}
