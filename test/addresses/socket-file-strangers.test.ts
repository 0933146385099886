/** Promise: other users with write permission for the directory cannot make a server change a file of their choice. */
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { listen } from 'seqpacket';
import { Peer } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';
import { listeningAt } from '../support/sockets.js';

const TIMES = Number(process.env['SEQPACKET_STRANGER_TIMES'] ?? 400);

/** Puts symbolic links to the victims in the place of every hidden file and directory, as fast as it can. */
const STRANGER = `
import os, signal, sys
signal.alarm(60)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
directory, spare, *victims = sys.argv[1:]
os.chdir(directory)
made = 0
def link(victim):
    global made
    made += 1
    path = f'{spare}/{made}'
    os.symlink(victim, path)
    return path
to_file, to_directory = (link(each) for each in victims)
own = set()
print('ready', file=sys.stderr, flush=True)
while True:
    for name in os.listdir('.'):
        if name[0] != '.' or name in own: continue
        try:
            os.rename(to_file, name)
            own.add(name)
            to_file = link(victims[0])
            continue
        except OSError: pass
        try:
            os.rename(name, 'moved' + name)
            os.rename(to_directory, name)
            own.add(name)
            to_directory = link(victims[1])
        except OSError: pass
    if len(own) > 50:
        for name in own: os.unlink(name)
        own.clear()
`;

const skip = process.getuid?.() !== 0 ? 'needs root' : missing('python3');

for (const [what, bits] of [
  ['a directory that everybody can write to', 0o777],
  ['a directory that everybody can write to, with the sticky bit', 0o1777],
] as const) {
  test(`${what}: root listens ${TIMES} times while another user swaps files`, { skip }, async (t) => {
    const top = scratchDirectory();
    const [directory, spare, victims] = [`${top}/open`, `${top}/spare`, `${top}/victims`];
    for (const [path, mode] of [
      [top, 0o755],
      [directory, bits],
      [spare, 0o777],
      [victims, 0o755],
    ] as const) {
      if (path !== top) mkdirSync(path);
      chmodSync(path, mode);
    }
    const victim = `${victims}/socket`;
    writeFileSync(victim, 'precious', { mode: 0o600 });
    const path = `${directory}/socket`;
    const stranger = new Peer(t, 'python3', [
      ...['-I', '-S', '-c', STRANGER],
      ...[directory, spare, victim, victims],
    ]);
    await stranger.reports('ready');
    const before = process.umask(0o022);
    let listened = 0;
    for (let time = 0; time < TIMES; time++) {
      try {
        if (time % 10 === 0) listeningAt(path).close();
        using _acceptor = listen(path, { mode: 0o666 });
        listened++;
        const file = lstatSync(path, { throwIfNoEntry: false });
        if (file !== undefined) assert.equal((file.mode & 0o7777).toString(8), '666');
      } catch (error) {
        // The stranger can take the name, too, and what has been made beside it.
        if (
          !['EADDRINUSE', 'ENOENT', 'ENOTDIR', 'EPERM'].includes(`${(error as NodeJS.ErrnoException).code}`)
        )
          throw error;
      }
      if (time % 10 === 1) await new Promise(setImmediate);
    }
    process.umask(before);
    assert.ok(listened > 0);
    assert.equal((lstatSync(victim).mode & 0o7777).toString(8), '600');
    assert.ok(lstatSync(victim).isFile());
    assert.equal((statSync(victims).mode & 0o7777).toString(8), '755');
    assert.deepEqual(readdirSync(victims), ['socket']);
    stranger.process.kill('SIGKILL');
  });
}
