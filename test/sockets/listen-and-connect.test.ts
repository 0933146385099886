/** connect, listen, pair: one call each; and the loop of a server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { connect, listen, pair, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { fillBacklog, receiveText, settlesSoon } from '../support/sockets.js';

test('connect gives a connected socket', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  using socket = await connect(path);
  using server = await acceptor.accept();
  await socket.send(Buffer.from('hello'));
  assert.equal(await receiveText(server), 'hello');
  assert.equal(socket.remotePath, path);
});

test('connect that fails leaves nothing open', async () => {
  const before = openDescriptors().size;
  const path = scratchPath();
  await assert.rejects(connect(path), { code: 'ENOENT', syscall: 'connect', address: path });
  await assert.rejects(connect(path, { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  using acceptor = listen(path, { backlog: 0 });
  const queued = await fillBacklog(path);
  const controller = new AbortController();
  const connected = connect(path, { signal: controller.signal });
  assert.equal(await settlesSoon(connected), false);
  controller.abort();
  await assert.rejects(connected, { code: 'ABORT_ERR' });
  acceptor.close();
  for (const each of queued) each.close();
  assert.equal(openDescriptors().size, before);
});

test('connect and pair take the mode of empty messages', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  using socket = await connect(path, { emptyMessages: 'deliver' });
  using server = await acceptor.accept();
  await server.send(Buffer.alloc(0));
  assert.equal(await socket.receive(Buffer.alloc(1)), 0);
  const [a, b] = pair({ emptyMessages: 'deliver' });
  await a.send(Buffer.alloc(0));
  assert.equal(await b.receive(Buffer.alloc(1)), 0);
  a.close();
  b.close();
  for (const call of [
    () => connect(path, { emptyMessages: 1 as never }),
    () => pair({ emptyMessages: 1 as never }),
  ]) {
    assert.throws(call, { code: 'ERR_INVALID_ARG_TYPE' });
  }
});

test('for await over an acceptor serves one client after the other, until it is closed', async () => {
  const path = scratchPath();
  const acceptor = listen(path);
  const served: string[] = [];
  const serving = (async () => {
    for await (const socket of acceptor) {
      using client = socket;
      served.push(await receiveText(client));
    }
  })();
  for (const name of ['one', 'two', 'three']) {
    using socket = await connect(path);
    await socket.send(Buffer.from(name));
    await assert.rejects(receiveText(socket), { code: 'EOF' });
  }
  acceptor.close();
  await serving;
  assert.deepEqual(served, ['one', 'two', 'three']);
});

test('breaking out of the loop leaves the acceptor open and the next client in the backlog', async () => {
  const path = scratchPath();
  using acceptor = listen(path);
  using first = await connect(path);
  using second = await connect(path);
  for await (const socket of acceptor) {
    socket.close();
    break;
  }
  assert.equal(acceptor.isOpen, true);
  using server = await acceptor.accept();
  await second.send(Buffer.from('second'));
  assert.equal(await receiveText(server), 'second');
  await assert.rejects(receiveText(first), { code: 'EOF' });
});

test('the loop continues once descriptors are available, and warns once', () => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { connect, listen } from 'seqpacket';
    const acceptor = listen(process.argv[1]);
    const clients = [await connect(process.argv[1]), await connect(process.argv[1])];
    const warnings = [];
    process.removeAllListeners('warning');
    process.on('warning', (warning) => warnings.push(warning.code));
    const hoard = [];
    try { for (;;) hoard.push(openSync('/dev/null')); } catch {}
    setTimeout(() => { for (const fd of hoard) closeSync(fd); }, 250);
    const before = process.cpuUsage();
    let served = 0;
    for await (const socket of acceptor) { socket.close(); if (++served === 2) acceptor.close(); }
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ served, warnings, spun: user + system > 200_000 }));
    process.exit();
  `;
  const command = 'ulimit -n 60; exec "$0" --input-type=module -e "$1" "$2"';
  const child = spawnSync('sh', ['-c', command, process.execPath, script, scratchPath()], {
    encoding: 'utf8',
  });
  assert.deepEqual(JSON.parse(child.stdout || child.stderr), {
    served: 2,
    warnings: ['SEQPACKET_SHORTAGE'],
    spun: false,
  });
});

test('using and await using close', async () => {
  const path = scratchPath();
  let kept: { isOpen: boolean }[];
  {
    await using acceptor = listen(path);
    await using socket = await connect(path);
    using server = await acceptor.accept();
    kept = [acceptor, socket, server];
  }
  assert.deepEqual(
    kept.map(({ isOpen }) => isOpen),
    [false, false, false],
  );
});

test('a thousand clients at once', async () => {
  const path = scratchPath();
  using acceptor = listen(path, { backlog: 16 });
  const serving = (async () => {
    for await (const socket of acceptor) {
      (async (client: SeqpacketSocket) => {
        await client.send(Buffer.from((await receiveText(client)).toUpperCase()));
        client.close();
      })(socket);
    }
  })();
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      using socket = await connect(path);
      await socket.send(Buffer.from(`client ${index}`));
      return await receiveText(socket);
    }),
  );
  assert.deepEqual(
    answers,
    answers.map((_, index) => `CLIENT ${index}`),
  );
  acceptor.close();
  await serving;
});
