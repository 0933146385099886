/** Peer identity, verified by the kernel. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect, listen, pair, type SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { os } from '../support/internals.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { receiveText } from '../support/sockets.js';

const SOL_SOCKET = 1;
const SO_PEERPIDFD = 77;

function hasPidFd(): boolean {
  const [a, b] = pair();
  const result = os.getsockopt(a.fd, SOL_SOCKET, SO_PEERPIDFD, new Int32Array(1));
  a.close();
  b.close();
  if (result >= 0) for (const [fd, name] of openDescriptors()) if (name.includes('pidfd')) os.close(fd);
  return result >= 0;
}

test('remotePidFd is a descriptor of the peer’s process', {
  skip: hasPidFd() ? missing('python3') : 'needs Linux 6.5',
}, async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  const script = `import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); s.recv(1)`;
  const child = spawn('python3', ['-c', script, path], { stdio: 'inherit' });
  const exit = once(child, 'exit');
  using socket = await acceptor.accept();
  const { pid } = socket.getOption('remoteCredentials');
  using pidfd = socket.getOption('remotePidFd');
  const info = readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'utf8');
  assert.match(info, new RegExp(`^Pid:\\s*${pid}$`, 'm'));
  assert.match(info, /^flags:\s*02\d{6}$/m);
  socket.close();
  await exit;
  assert.match(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'utf8'), /^Pid:\s*-1$/m);
});

test('without a peer there are no credentials', () => {
  using socket = new SeqpacketSocket();
  socket.open();
  for (const name of ['remoteCredentials', 'remotePidFd'] as const) {
    if (name === 'remotePidFd' && !hasPidFd()) continue;
    assert.throws(() => socket.getOption(name), { code: 'ENOTCONN', syscall: 'getsockopt' });
  }
});

test('passCredentials reports the sender of each message', async () => {
  const [a, b] = pair();
  b.setOption('passCredentials', true);
  assert.equal(b.getOption('passCredentials'), true);
  await a.send(Buffer.from('x'));
  const { credentials } = await b.receiveMessage();
  assert.deepEqual(credentials, { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  b.setOption('passCredentials', false);
  await a.send(Buffer.from('x'));
  assert.equal((await b.receiveMessage()).credentials, undefined);
  a.close();
  b.close();
});

test('passCredentials of an acceptor covers the first message of each connection', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  acceptor.setOption('passCredentials', true);
  using client = await connect(path);
  await client.send(Buffer.from('sent before it was accepted'));
  using server = await acceptor.accept();
  const { credentials } = await server.receiveMessage();
  assert.equal(credentials?.pid, process.pid);
});

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
for (const [allow, admitted] of [
  [{ uids: [uid] }, true],
  [{ gids: [gid] }, true],
  [{ uids: [uid + 1], gids: [gid] }, true],
  [{ uids: [uid + 1] }, false],
  [{ uids: [], gids: [gid + 1] }, false],
  [{}, false],
] as const) {
  test(`allow ${JSON.stringify(allow)} ${admitted ? 'admits' : 'refuses'} this process`, async () => {
    const path = scratchPath();
    using acceptor = listen(path, { allow });
    using client = await connect(path);
    const accepted = acceptor.accept();
    if (admitted) {
      (await accepted).close();
    } else {
      await assert.rejects(receiveText(client), { code: /^(EOF|ECONNRESET)$/ });
      acceptor.cancel();
      await assert.rejects(accepted, { code: 'ECANCELED' });
    }
  });
}

const asRoot = { skip: uid !== 0 ? 'needs root' : missing('python3') };

/** Connects from a process of another user, and says what came of it. */
async function visit(path: string, { uid, gid, groups }: { uid: number; gid: number; groups: number[] }) {
  const script = `
import os, socket, sys
os.setgroups(${JSON.stringify(groups)}); os.setgid(${gid}); os.setuid(${uid})
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect("\\0" + sys.argv[1])
try: print(s.recv(100).decode() or "refused")
except ConnectionResetError: print("refused")
`;
  const child = spawn('python3', ['-c', script, path.slice(1)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await once(child.stdout, 'data');
  return String(output).trim();
}

async function greet(acceptor: SeqpacketAcceptor): Promise<void> {
  for await (const socket of acceptor) {
    await socket.send(Buffer.from('welcome'));
    socket.close();
  }
}

test('allow distinguishes users and groups, including supplementary groups', asRoot, async () => {
  const name = `\0seqpacket-allow-${process.pid}`;
  const acceptor = listen(name, { allow: { uids: [1234], gids: [4321] } });
  const greeting = greet(acceptor);
  const other = { uid: 65534, gid: 65534, groups: [] };
  assert.equal(await visit(name, { ...other, uid: 1234 }), 'welcome');
  assert.equal(await visit(name, { ...other, gid: 4321 }), 'welcome');
  assert.equal(await visit(name, { ...other, groups: [7, 4321] }), 'welcome');
  assert.equal(await visit(name, other), 'refused');
  assert.equal(await visit(name, { ...other, groups: [1234] }), 'refused');
  acceptor.close();
  await greeting;
});

test('refused clients do not block other clients', async () => {
  const path = scratchPath();
  const allow = { uids: [uid + 1], gids: [] as number[] };
  using acceptor = listen(path, { allow });
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect(path)));
  const accepted = acceptor.accept();
  for (const client of clients) {
    await assert.rejects(receiveText(client), { code: /^(EOF|ECONNRESET)$/ });
    client.close();
  }
  acceptor.cancel();
  await assert.rejects(accepted, { code: 'ECANCELED' });
});

test('allow is checked', () => {
  for (const allow of [{ uids: 5 }, { uids: ['root'] }, { gids: [-1] }, { gids: [1.5] }, 'root', null]) {
    assert.throws(() => listen(scratchPath(), { allow: allow as never }), {
      code: /^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/,
    });
  }
});
