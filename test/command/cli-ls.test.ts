/** `seqpacket ls`: the sockets of the system, and the processes that hold them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, relative } from 'node:path';
import { describe, it } from 'node:test';
import { connect, listen } from 'seqpacket';
import { Cli, parsed, run } from '../support/command.js';
import { abstractName, closing } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };
const WITH_SS = { ...TIMEOUT, skip: missing('ss') };

interface Entry {
  state: string;
  address: string;
  inode: number;
  receiveQueue: number | null;
  sendQueue: number | null;
  peerInode: number | null;
  peerAddress: string;
  processes: { pid: number; uid: number; fds: number[] }[];
  peerProcesses: { pid: number }[];
}

describe('ls', () => {
  it('shows state, queues, peers and processes', WITH_SS, async (t) => {
    // Spaces and numbers in a name are no end of it.
    const path = scratchPath('a name 17 * 18');
    const acceptor = closing(t, listen(path, { backlog: 5 }));
    const client = closing(t, await connect(path));
    const server = closing(t, await acceptor.accept());
    await client.send(Buffer.from('waiting'));
    const { code, stdout } = await run(t, ['ls', '--json', path]);
    assert.equal(code, 0);
    const entries = JSON.parse(stdout) as Entry[];
    const [listening, accepted, connected] = entries as [Entry, Entry, Entry];
    assert.equal(entries.length, 3);
    assert.deepEqual([listening.state, listening.address, listening.sendQueue], ['listening', path, 5]);
    assert.deepEqual([accepted.state, accepted.address, accepted.receiveQueue], ['connected', path, 7]);
    assert.deepEqual([connected.state, connected.address, connected.peerAddress], ['connected', '', path]);
    assert.equal(connected.inode, statSync(`/proc/self/fd/${client.fd}`).ino);
    assert.equal(connected.peerInode, accepted.inode);
    for (const [entry, { fd }] of [
      [listening, acceptor],
      [accepted, server],
      [connected, client],
    ] as const) {
      const holder = entry.processes.find(({ pid }) => pid === process.pid);
      assert.deepEqual(holder?.fds, [fd]);
      assert.equal(holder?.uid, process.getuid?.());
    }
    assert.equal(connected.peerProcesses[0]?.pid, process.pid);
  });

  it('draws a table without control characters', TIMEOUT, async (t) => {
    const name = `${abstractName()}\x1b[2J`;
    closing(t, listen(name));
    const { stdout } = await run(t, ['ls', '--listening']);
    const shown = `@${name.slice(1, -4)}\\x1b[2J`;
    const [heading] = stdout.split('\n');
    assert.match(heading!, /^STATE +RECV-Q +SEND-Q +INODE +PEER +ADDRESS +PROCESSES$/);
    const line = stdout.split('\n').find((each) => each.includes(shown));
    assert.match(line!, new RegExp(`^listening .* \\S*\\[${process.pid}\\] fd \\d+$`));
    assert.doesNotMatch(stdout, /connected/);
  });

  it('finds a socket by any path to its file', WITH_SS, async (t) => {
    const path = scratchPath();
    closing(t, listen(path));
    const { code, stdout } = await run(t, ['ls', relative(process.cwd(), path)]);
    assert.equal(code, 0);
    assert.ok(stdout.includes(`[${process.pid}]`));
  });

  it('reports that ss is missing', TIMEOUT, async (t) => {
    const name = abstractName();
    closing(t, listen(name));
    const env = { ...process.env, PATH: '/nonexistent' };
    const { code, stdout, stderr } = await run(t, ['ls', `@${name.slice(1)}`], '', { env });
    assert.equal(code, 0);
    assert.match(stdout, /^listening +- +- +\d+ +- +@/m);
    assert.match(stderr, /^seqpacket: "-": .* not installed: .* \(package iproute2\)$/m);
  });

  it('lists other sockets if there is no such socket', TIMEOUT, async (t) => {
    const nowhere = await run(t, ['ls', '/nonexistent']);
    assert.deepEqual([nowhere.code, nowhere.stdout], [1, '']);
    assert.match(nowhere.stderr, /^seqpacket: no SEQPACKET socket has the address \/nonexistent/);
    const path = scratchPath();
    const server = createServer().listen(path);
    t.after(() => server.close());
    await once(server, 'listening');
    assert.match((await run(t, ['ls', path])).stderr, /is a stream socket/);
    const file = scratchPath('file');
    writeFileSync(file, '');
    for (const [no, kind] of [
      [file, 'file'],
      [dirname(file), 'directory'],
      ['/dev/null', 'character device'],
    ] as const) {
      const { code, stderr } = await run(t, ['ls', no]);
      assert.deepEqual([code, stderr], [1, `seqpacket: ${no} is not a socket, but a ${kind}\n`]);
    }
    for (const none of ['', '@']) {
      const { code, stderr } = await run(t, ['ls', none]);
      assert.equal(code, 2);
      assert.match(stderr, /^seqpacket: an address is a path, or @name for an abstract name$/m);
    }
  });

  it('--watch repeats the list until it is interrupted', TIMEOUT, async (t) => {
    const name = abstractName();
    const acceptor = closing(t, listen(name));
    const cli = new Cli(t, ['ls', '--watch', '0.1', '--json', `@${name.slice(1)}`]);
    await cli.prints(']\n[');
    acceptor.close();
    await cli.prints('\n[]\n');
    const { code, stdout } = await cli.interrupted();
    assert.equal(code, 0);
    assert.equal((parsed(stdout)[0] as unknown as Entry[]).length, 1);
  });
});
