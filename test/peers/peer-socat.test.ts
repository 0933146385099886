/** socat, with its option type=5, which is SOCK_SEQPACKET. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Peer } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { listeningAt, receiveText } from '../support/sockets.js';

const OPTIONS = { skip: missing('socat'), timeout: 20_000 };

const SIZES = [1, 60_000, 2, 4096, 255, 4097, 8192, 1, 32_769, 300];
const MESSAGES = SIZES.map((size, index) => Buffer.alloc(size, `${index}: ${size} bytes; `));

/** Starts a socat that gives every connection to a cat of its own, until it listens. */
async function startEchoing(t: TestContext, address: string): Promise<void> {
  // Without nofork the messages would go through socat's buffer, which merges them.
  const socat = new Peer(t, 'socat', ['-dd', `${address},type=5,fork`, 'EXEC:/bin/cat,nofork']);
  // The socket file is no sign of it: bind(2) makes it, before listen(2).
  await socat.reports(' listening on ');
}

/** Starts a socat that connects its standard input and output with us. */
function startConnecting(t: TestContext, address: string): Peer {
  // It must not cut at 8192 bytes, nor hang up while only one direction has ended.
  return new Peer(t, 'socat', ['-b', '65536', '-t', '30', '-', `${address},type=5`]);
}

/** How socat calls a name in the abstract namespace. */
function withoutNul(name: string): string {
  return name.slice(1);
}

async function connected(t: TestContext, path: string): Promise<SeqpacketSocket> {
  const socket = closing(t, new SeqpacketSocket());
  await socket.connect(path);
  return socket;
}

/** Both ends of what socat, given our path, connects to us. */
async function accepted(
  t: TestContext,
  path: string,
  address = `UNIX-CONNECT:${path}`,
): Promise<{ socat: Peer; socket: SeqpacketSocket }> {
  const acceptor = closing(t, listeningAt(path));
  const socat = startConnecting(t, address);
  return { socat, socket: closing(t, await socat.meanwhile(acceptor.accept())) };
}

async function receive(socket: SeqpacketSocket): Promise<Buffer> {
  const buffer = Buffer.alloc(65_536);
  return buffer.subarray(0, await socket.receive(buffer));
}

/** The next `size` bytes, and no more, of a stream. */
async function read(stream: Readable, size: number): Promise<string> {
  for (;;) {
    const data: Buffer | null = stream.read(size);
    if (data !== null) return data.toString();
    await once(stream, 'readable');
  }
}

describe('with socat as the server', () => {
  it('messages return one by one, whole and in order', OPTIONS, async (t) => {
    const path = scratchPath();
    await startEchoing(t, `UNIX-LISTEN:${path}`);
    const socket = await connected(t, path);
    const [echoes, sent] = await Promise.all([
      Promise.all(MESSAGES.map(() => receive(socket))),
      Promise.all(MESSAGES.map((message) => socket.send(message))),
    ]);
    assert.deepEqual(sent, SIZES);
    const sizes = echoes.map((echo) => echo.length);
    assert.deepEqual(sizes, SIZES);
    assert.deepEqual(echoes, MESSAGES);
  });

  it('we hear the rest, and then the end of file, after we have shut down sending', OPTIONS, async (t) => {
    const path = scratchPath();
    await startEchoing(t, `UNIX-LISTEN:${path}`);
    const socket = await connected(t, path);
    for (const text of ['one', 'two', 'three']) await socket.send(Buffer.from(text));
    socket.shutdown('send');
    for (const text of ['one', 'two', 'three']) assert.equal(await receiveText(socket), text);
    await assert.rejects(receive(socket), { code: 'EOF' });
  });

  it('one listener serves several connections, each for itself', OPTIONS, async (t) => {
    const path = scratchPath();
    await startEchoing(t, `UNIX-LISTEN:${path}`);
    const first = await connected(t, path);
    const second = await connected(t, path);
    await Promise.all([first.send(Buffer.from('first')), second.send(Buffer.from('second'))]);
    second.shutdown('send');
    assert.equal(await receiveText(second), 'second');
    await assert.rejects(receive(second), { code: 'EOF' });
    assert.equal(await receiveText(first), 'first');
    await first.send(Buffer.from('still there'));
    assert.equal(await receiveText(first), 'still there');
  });

  it('it is reached by its abstract name', OPTIONS, async (t) => {
    const name = abstractName();
    await startEchoing(t, `ABSTRACT-LISTEN:${withoutNul(name)}`);
    const socket = await connected(t, name);
    assert.equal(socket.remotePath, name);
    await Promise.all([socket.send(Buffer.from('one')), socket.send(Buffer.from('two'))]);
    assert.equal(await receiveText(socket), 'one');
    assert.equal(await receiveText(socket), 'two');
  });
});

describe('with socat as the client', () => {
  it('each chunk of its input is a message, and their end the end of file', OPTIONS, async (t) => {
    const { socat, socket } = await accepted(t, scratchPath());
    for (const chunk of ['one', '2', 'three'.repeat(1000)]) {
      socat.process.stdin.write(chunk);
      assert.equal(await receiveText(socket), chunk);
    }
    socat.process.stdin.end();
    await assert.rejects(receive(socket), { code: 'EOF' });
    // It still listens to us.
    await socket.send(Buffer.from('goodbye'));
    assert.equal(await read(socat.process.stdout, 7), 'goodbye');
    socket.close();
    await socat.finished();
  });

  it('our messages are its output, and our close the end of it', OPTIONS, async (t) => {
    const { socat, socket } = await accepted(t, scratchPath());
    for (const message of MESSAGES) await socket.send(message);
    socket.close();
    socat.process.stdin.end();
    assert.deepEqual(Buffer.concat(await socat.process.stdout.toArray()), Buffer.concat(MESSAGES));
    await socat.finished();
  });

  it('it has no name, but a process id', OPTIONS, async (t) => {
    const { socat, socket } = await accepted(t, scratchPath());
    assert.equal(socket.remotePath, '');
    assert.equal(socket.getOption('remoteCredentials').pid, socat.process.pid);
  });

  it('it reaches us by our abstract name', OPTIONS, async (t) => {
    const name = abstractName();
    const { socat, socket } = await accepted(t, name, `ABSTRACT-CONNECT:${withoutNul(name)}`);
    socat.process.stdin.write('there');
    assert.equal(await receiveText(socket), 'there');
    await socket.send(Buffer.from('and back'));
    assert.equal(await read(socat.process.stdout, 8), 'and back');
    socat.process.stdin.end();
    await assert.rejects(receive(socket), { code: 'EOF' });
  });
});
