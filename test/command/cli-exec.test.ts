/** `seqpacket listen --exec`: each client gets a process of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect, type SeqpacketSocket } from 'seqpacket';
import { listening } from '../support/command.js';
import { closing } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };

async function text(socket: SeqpacketSocket): Promise<string> {
  return String((await socket.receiveMessage()).data);
}

describe('--exec', TIMEOUT, () => {
  it('gives a command messages as lines, and sends its lines', async (t) => {
    const path = scratchPath();
    const command = `while read line; do echo "$SEQPACKET_CONNECTION/$SEQPACKET_PEER_PID: $line"; done; echo over`;
    const cli = await listening(t, [path, '--keep', '--exec', command]);
    const one = closing(t, await connect(path));
    const two = closing(t, await connect(path));
    await two.send(Buffer.from('b'));
    await one.send(Buffer.from('a'));
    assert.equal(await text(one), `1/${process.pid}: a`);
    assert.equal(await text(two), `2/${process.pid}: b`);
    one.shutdown('send');
    assert.equal(await text(one), 'over');
    await assert.rejects(one.receiveMessage(), { code: 'EOF' });
    await two.send(Buffer.from('c'));
    assert.equal(await text(two), `2/${process.pid}: c`);
    assert.equal((await cli.interrupted()).code, 0);
  });

  it('closes when the command ends, and reports its failure', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--exec', 'echo goodbye; exit 3']);
    const socket = closing(t, await connect(path));
    assert.equal(await text(socket), 'goodbye');
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /the command ended with exit code 3/);
    assert.equal(code, 1);
  });

  it('ends a command whose client has closed', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--exec', 'yes']);
    const socket = await connect(path);
    assert.equal(await text(socket), 'y');
    socket.close();
    assert.match((await cli.ended).stderr, /signal SIGPIPE|exit code 1/);
  });

  it('gives up when nothing was sent or received for --timeout, and not before', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--keep', '--exec', 'cat', '--timeout', '1']);
    const socket = closing(t, await connect(path));
    for (let i = 0; i < 6; i++) {
      await socket.send(Buffer.from(`${i}`));
      assert.equal(await text(socket), `${i}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /^seqpacket: timeout: nothing was sent or received for 1 s/m);
    assert.equal(code, 124);
  });

  it('serves many clients without a warning', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--keep', '--exec', 'cat']);
    for (let i = 0; i < 12; i++) {
      const socket = closing(t, await connect(path));
      await socket.send(Buffer.from('x'));
      assert.equal(await text(socket), 'x');
    }
    assert.doesNotMatch((await cli.interrupted()).stderr, /Warning/);
  });

  it('gives up on its only client, too', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--exec', 'sleep 20 2>/dev/null; true', '--timeout', '0.3']);
    const socket = closing(t, await connect(path));
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /^seqpacket: timeout: nothing was sent or received for 0.3 s/m);
    assert.equal(code, 124);
  });

  it('does not give up on a command that has the socket itself', async (t) => {
    const path = scratchPath();
    const command = 'sleep 1; exec cat';
    const cli = await listening(t, [path, '--exec', command, '--exec-as', 'stdio', '--timeout', '0.3']);
    const socket = closing(t, await connect(path));
    await socket.send(Buffer.from('still there?'));
    assert.equal(await text(socket), 'still there?');
    socket.shutdown('send');
    assert.equal((await cli.ended).code, 0);
  });

  it('as stdio: the socket is standard input and output', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--exec', 'exec cat', '--exec-as', 'stdio']);
    const socket = closing(t, await connect(path));
    for (const message of ['one', 'two\nlines']) {
      await socket.send(Buffer.from(message));
      assert.equal(await text(socket), message);
    }
    socket.shutdown('send');
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    assert.equal((await cli.ended).code, 0);
  });

  it('as fd: it is descriptor 3, blocking, as from systemd', {
    ...TIMEOUT,
    skip: missing('python3'),
  }, async (t) => {
    const path = scratchPath();
    const program = `
import os, socket
client = socket.socket(fileno=3)
data, fds, _, _ = socket.recv_fds(client, 1000, 1)
names = 'LISTEN_FDS', 'LISTEN_FDNAMES'
own = os.environ['LISTEN_PID'] == str(os.getpid())
client.send(repr([data, len(fds), os.get_blocking(3), own, *(os.environ[name] for name in names)]).encode())
`;
    const command = `exec python3 -IS -c '${program.replaceAll("'", `'"'"'`)}'`;
    const cli = await listening(t, [path, '--exec', command, '--exec-as', 'fd']);
    const socket = closing(t, await connect(path));
    await socket.sendWithFds(Buffer.from('take'), [1]);
    assert.equal(await text(socket), "[b'take', 1, True, True, '1', 'connection']");
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    assert.equal((await cli.ended).code, 0);
  });
});
