/** Promise: peers that `listen` does not admit are closed, counted and published, and no others. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants } from 'node:os';
import { test } from 'node:test';
import { connect, listen, type Refusal, type SeqpacketSocket } from 'seqpacket';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { withoutSocketOption } from '../support/seccomp.js';
import { receiveText, settlesSoon } from '../support/sockets.js';

const self = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
const nobodyElse = { uids: [(self.uid ?? 0) + 1] };

/** What `seqpacket:refuse` publishes until the test ends. */
function refusals(t: { after(work: () => void): void }): Refusal[] {
  const seen: Refusal[] = [];
  const onRefusal = (refusal: unknown) => seen.push(refusal as Refusal);
  subscribe('seqpacket:refuse', onRefusal);
  t.after(() => unsubscribe('seqpacket:refuse', onRefusal));
  return seen;
}

async function isRefused(socket: SeqpacketSocket): Promise<void> {
  await assert.rejects(receiveText(socket), { code: /^(EOF|ECONNRESET)$/ });
}

test('connections beyond maxConnections are closed before accept settles', async () => {
  const path = scratchPath();
  using acceptor = listen(path, { maxConnections: 2 });
  const clients = [await connect(path), await connect(path), await connect(path), await connect(path)];
  const sockets = [await acceptor.accept(), await acceptor.accept()];
  const accepted = acceptor.accept();
  await isRefused(clients[2]!);
  await isRefused(clients[3]!);
  assert.equal(await settlesSoon(accepted), false);
  assert.deepEqual(acceptor.counters, { accepted: 2, refused: 2, pendingAccepts: 1 });

  sockets[0]!.close();
  const next = await connect(path);
  sockets.push(await accepted);
  await next.send('admitted');
  assert.equal(await receiveText(sockets[2]!), 'admitted');
  assert.deepEqual(acceptor.counters, { accepted: 3, refused: 2, pendingAccepts: 0 });
  for (const each of [...clients, next, ...sockets]) each.close();
});

test('a socket counts until it is closed, released or collected, and once', async () => {
  const path = scratchPath();
  using acceptor = listen(path, { maxConnections: 1 });
  const endings: ((socket: SeqpacketSocket) => void)[] = [
    (socket) => {
      socket.close();
      socket.close();
      socket[Symbol.dispose]();
    },
    (socket) => socket.release().close(),
    (socket) => {
      // Opened again, it is no connection of the acceptor's.
      socket.close();
      socket.open();
      socket.close();
    },
  ];
  for (const end of endings) {
    using _client = await connect(path);
    end(await acceptor.accept());
  }
  // What was counted down twice would admit two now.
  const clients = [await connect(path), await connect(path)];
  using _only = await acceptor.accept();
  const refused = acceptor.accept();
  await isRefused(clients[1]!);
  assert.equal(acceptor.counters.refused, 1);
  for (const client of clients) client.close();
  acceptor.cancel();
  await assert.rejects(refused, { code: 'ECANCELED' });
});

test('a socket that is collected unclosed makes room', { timeout: 20_000 }, async (t) => {
  const collect = globalThis.gc;
  if (collect === undefined) return t.skip('needs --expose-gc');
  const path = scratchPath();
  using acceptor = listen(path, { maxConnections: 1 });
  const visit = async (): Promise<boolean> => {
    using _client = await connect(path);
    const signal = AbortSignal.timeout(50);
    return acceptor.accept({ signal }).then(
      () => true,
      () => false,
    );
  };
  assert.equal(await visit(), true);
  while (!(await visit())) collect();
});

test('each refused peer is published with the reason and its credentials', async (t) => {
  const path = scratchPath();
  const seen = refusals(t);
  using acceptor = listen(path, { maxConnections: 1 });
  const clients = [await connect(path), await connect(path)];
  using _socket = await acceptor.accept();
  acceptor.accept().catch(() => undefined);
  await isRefused(clients[1]!);
  await new Promise(setImmediate);
  assert.deepEqual(seen, [{ acceptor, reason: 'maxConnections', credentials: self }]);

  const strict = listen(scratchPath(), { allow: nobodyElse, maxConnections: 1 });
  using client = await connect(strict.localPath);
  strict.accept().catch(() => undefined);
  await isRefused(client);
  await new Promise(setImmediate);
  assert.deepEqual(seen.slice(1), [{ acceptor: strict, reason: 'allow', credentials: self }]);
  assert.deepEqual(strict.counters, { accepted: 0, refused: 1, pendingAccepts: 1 });
  strict.close();
  for (const each of clients) each.close();
});

test('a subscriber of seqpacket:refuse may close the acceptor', async (t) => {
  const acceptor = listen(scratchPath(), { allow: nobodyElse });
  const close = () => acceptor.close();
  subscribe('seqpacket:refuse', close);
  t.after(() => unsubscribe('seqpacket:refuse', close));
  using client = await connect(acceptor.localPath);
  await assert.rejects(acceptor.accept(), { code: 'ECANCELED' });
  await isRefused(client);
});

test('counters of an acceptor that is not open are EBADF', () => {
  const acceptor = listen(scratchPath());
  assert.deepEqual(acceptor.counters, { accepted: 0, refused: 0, pendingAccepts: 0 });
  acceptor.close();
  assert.throws(() => acceptor.counters, { code: 'EBADF' });
});

const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;

/** A server that nobody can ask for an option of its peers: what each accept came to, and what it left open. */
function serverWithout(option: number, options: string): { outcomes: string[]; leaked: number } {
  const script = `
    import { connect, listen } from 'seqpacket';
    import { readdirSync } from 'node:fs';
    const path = '\\0seqpacket-without-' + process.pid;
    const acceptor = listen(path, ${options});
    const before = readdirSync('/proc/self/fd').length;
    const outcomes = [];
    for (let i = 0; i < 5; i++) {
      const client = await connect(path);
      await acceptor.accept().then((socket) => { outcomes.push('accepted'); socket.close(); },
        ({ code, syscall }) => outcomes.push(syscall + ' ' + code));
      client.close();
    }
    console.log(JSON.stringify({ outcomes, leaked: readdirSync('/proc/self/fd').length - before }));
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const [program = '', ...args] = withoutSocketOption(option, constants.errno.ENOPROTOOPT, node);
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

const withPython = { skip: missing('python3') };

test(
  'where the kernel does not say who the peer is, accept rejects, and nothing is left open',
  withPython,
  () => {
    const failed = (count: number) => Array(count).fill('getsockopt ENOPROTOOPT');
    const { uid = 0, gid = 0 } = self;
    for (const [option, options] of [
      [SO_PEERGROUPS, `{ allow: { gids: [${gid + 1}] } }`],
      [SO_PEERCRED, `{ allow: { uids: [${uid}] } }`],
      [SO_PEERCRED, `{ allow: {}, maxConnections: 1 }`],
    ] as const) {
      assert.deepEqual(serverWithout(option, options), { outcomes: failed(5), leaked: 0 }, options);
    }
  },
);

test('supplementary groups are read only if allow depends on them', withPython, () => {
  const { uid = 0, gid = 0 } = self;
  for (const allow of [
    `{ uids: [${uid}] }`,
    `{ uids: [${uid}], gids: [${gid + 1}] }`,
    `{ gids: [${gid}] }`,
  ]) {
    const accepted = Array(5).fill('accepted');
    assert.deepEqual(serverWithout(SO_PEERGROUPS, `{ allow: ${allow} }`), { outcomes: accepted, leaked: 0 });
  }
});

/** What `listen` says in a user namespace in which only this process's own ids have numbers. */
function listensInNamespace(allow: string): string {
  const script = `
    import { listen } from 'seqpacket';
    try { listen('\\0seqpacket-namespace-' + process.pid, { allow: ${allow} }).close(); console.log('listens'); }
    catch (error) { console.log(error.code, error.message); }
  `;
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--user', '--map-root-user', process.execPath, '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  );
  return stdout.trim() || stderr.trim();
}

const withNamespaces = {
  skip:
    spawnSync('unshare', ['--user', '--map-root-user', 'true']).status !== 0 &&
    'user namespaces are not allowed here',
};

test('in a user namespace the number of all unmapped ids is refused', withNamespaces, () => {
  for (const key of ['uids', 'gids']) {
    const said = listensInNamespace(`{ ${key}: [0, 65534] }`);
    const kind = key.replace('s', '');
    assert.match(
      said,
      new RegExp(`^ERR_INVALID_ARG_VALUE .*options.allow.${key}\\[1\\].* every ${kind} .* 65534$`),
    );
    assert.equal(listensInNamespace(`{ ${key}: [0, 1, 65533] }`), 'listens');
  }
});

test('in the initial user namespace it is a user like any other', {
  skip: spawnSync('grep', ['-q', '4294967295', '/proc/self/uid_map']).status !== 0 && 'not in that namespace',
}, () => {
  listen(scratchPath(), { allow: { uids: [65534], gids: [65534] } }).close();
});
