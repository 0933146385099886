/** Promise: EMFILE on accept rejects that accept, spins no CPU, and accepting goes on once there is room. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const script = `
  import { closeSync, openSync } from 'node:fs';
  import { listen, SeqpacketSocket } from 'seqpacket';
  const path = process.argv[1];
  const acceptor = listen(path);
  const client = new SeqpacketSocket();
  await client.connect(path);
  const hoard = [];
  try { for (;;) hoard.push(openSync('/dev/null')); } catch {}
  const codes = [];
  const attempt = () => acceptor.accept().then((socket) => codes.push('ok ' + socket.isOpen), (error) => codes.push([error.code, error.syscall, error.address === path].join(' ')));
  await attempt();
  await Promise.all([attempt(), attempt()]);
  // The connection is still in the backlog, and nobody waits for it: nothing is to be done meanwhile.
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { user, system } = process.cpuUsage(before);
  closeSync(hoard.pop());
  await attempt();
  for (const fd of hoard) closeSync(fd);
  const waiting = attempt();
  const second = new SeqpacketSocket();
  await second.connect(path);
  await waiting;
  console.log(JSON.stringify({ codes, busy: (user + system) / 300_000 }));
  acceptor.close();
  process.exit();
`;

function run(prefix: string, program = script): { stdout: string; stderr: string } {
  const command = `ulimit -n 60; exec ${prefix} "$0" --input-type=module -e "$1" "$2"`;
  const child = spawnSync('sh', ['-c', command, process.execPath, program, scratchPath()], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(child.signal ?? child.status, 0, child.stdout + child.stderr);
  return child;
}

test('EMFILE rejects an accept, and the next accept succeeds', () => {
  const { codes, busy } = JSON.parse(run('').stdout);
  const refused = 'EMFILE accept4 true';
  assert.deepEqual(codes, [refused, refused, refused, 'ok true', 'ok true']);
  assert.ok(busy < 0.5, `busy for ${Math.round(100 * busy)} % of the time`);
});

test('a step of the iterator that pauses is not overtaken by the next one', () => {
  const { stdout } = run(
    '',
    `
    import { closeSync, openSync } from 'node:fs';
    import { connect, listen } from 'seqpacket';
    const acceptor = listen(process.argv[1]);
    const clients = [await connect(process.argv[1]), await connect(process.argv[1])];
    for (const [index, client] of clients.entries()) await client.send(Buffer.from(String(index)));
    process.removeAllListeners('warning');
    const hoard = [];
    try { for (;;) hoard.push(openSync('/dev/null')); } catch {}
    const iterator = acceptor[Symbol.asyncIterator]();
    const steps = [iterator.next()];
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const fd of hoard) closeSync(fd);
    steps.push(iterator.next());
    for (const { value } of await Promise.all(steps)) console.log(String((await value.receiveMessage()).data));
    const rest = [iterator.next(), iterator.next()];
    await iterator.return();
    console.log((await Promise.all(rest)).map(({ done }) => done).join());
    process.exit();
  `,
  );
  assert.equal(stdout, '0\n1\ntrue,true\n');
});

test('there are no more accept4 calls than accepts', { skip: missing('strace') }, () => {
  const { stderr } = run('strace -qq -f -e trace=accept4');
  const calls = stderr.split('\n').filter((line) => line.includes('accept4('));
  assert.equal(calls.filter((line) => line.includes('EMFILE')).length, 3, stderr);
  assert.ok(calls.length <= 7, stderr);
});
