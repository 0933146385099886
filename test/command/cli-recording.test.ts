/** Recordings: written by `trace --write`, read by other programs, done again by `replay`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { Cli, run, tracing } from '../support/command.js';
import { closing, Python } from '../support/peers.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };
const PROGRAM = { encoding: 'utf8', timeout: 20_000, env: unsanitizedEnvironment() } as const;

/** Answers each message in its own way, until the end of file. */
async function serve(socket: SeqpacketSocket, answer: (data: Buffer) => Buffer): Promise<void> {
  for await (const { data, fds } of socket.messages({ maxFds: 253 })) {
    for (const fd of fds) fd.close();
    await socket.send(answer(data));
  }
  socket.close();
}

const capitals = (data: Buffer) => Buffer.from(String(data).toUpperCase());

async function serveAll(t: TestContext, answer: (data: Buffer) => Buffer): Promise<string> {
  const path = scratchPath();
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  (async () => {
    for await (const socket of acceptor) serve(socket, answer).catch(() => {});
  })();
  return path;
}

let bytes: Buffer | undefined;

/** One for tests that only read it. */
async function recording(t: TestContext): Promise<string> {
  bytes ??= readFileSync(await recorded(t));
  const file = scratchPath('recording.pcapng');
  writeFileSync(file, bytes);
  return file;
}

/** A recording of two connections, of which the first is ended by the client, and the second lives on. */
async function recorded(t: TestContext, signal: NodeJS.Signals = 'SIGINT'): Promise<string> {
  const service = await serveAll(t, capitals);
  const between = scratchPath('between');
  const file = scratchPath('talk.pcapng');
  const trace = await tracing(t, between, service, '--write', file, '--json');
  const fd = openSync('/dev/null', 'r');
  const first = closing(t, await connect(between, { emptyMessages: 'deliver' }));
  await first.sendWithFds(Buffer.from('hello'), [fd]);
  closeSync(fd);
  assert.equal(String((await first.receiveMessage()).data), 'HELLO');
  await first.send(Buffer.alloc(0));
  assert.equal((await first.receiveMessage()).data.length, 0);
  first.shutdown('send');
  await assert.rejects(first.receiveMessage(), { code: 'EOF' });
  await trace.prints('"closed"');
  const second = closing(t, await connect(between));
  await second.send(Buffer.from('and again'));
  assert.equal(String((await second.receiveMessage()).data), 'AND AGAIN');
  assert.equal((await trace.interrupted(signal)).code, 0);
  return file;
}

const ANSWER_BYTES = 1000;

/** The sizes of all packets, by the lengths of the blocks: each block begins with its type and its length. */
function packetSizes(file: string): number[] {
  const content = readFileSync(file);
  const sizes: number[] = [];
  for (let at = 0; at < content.length; at += content.readUInt32LE(at + 4)) {
    if (content.readUInt32LE(at) === 6) sizes.push(content.readUInt32LE(at + 20));
  }
  return sizes;
}

describe('a recording', TIMEOUT, () => {
  it('is read by tshark and capinfos', { skip: missing('tshark') || missing('capinfos') }, async (t) => {
    const file = await recording(t);
    const fields = [
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.len',
      'data.data',
      'frame.comment',
    ];
    const args = [
      '-r',
      file,
      '-T',
      'fields',
      '-E',
      'separator=|',
      ...fields.flatMap((field) => ['-e', field]),
    ];
    const lines = execFileSync('tshark', args, { ...PROGRAM, stdio: ['ignore', 'pipe', 'ignore'] });
    const hex = (text: string) => Buffer.from(text).toString('hex');
    assert.deepEqual(
      lines
        .trim()
        .split('\n')
        .map((line) => line.replace(/0x0+/, '')),
      [
        `connection 1|2|5|${hex('hello')}|descriptor 0: character device /dev/null (read-only, mode 666)`,
        `connection 1|1|5|${hex('HELLO')}|`,
        'connection 1|2|0||',
        'connection 1|1|0||',
        'connection 1|2|0||end of file',
        'connection 1|1|0||end of file',
        `connection 2|2|9|${hex('and again')}|`,
        `connection 2|1|9|${hex('AND AGAIN')}|`,
      ],
    );
    const infos = execFileSync('capinfos', [file], PROGRAM);
    assert.match(infos, /Number of packets: +8\n/);
    assert.match(infos, /Encapsulation = USER 0/);
    assert.match(infos, /Capture application: +seqpacket \d/);
  });

  it('is complete, however the trace was ended', async (t) => {
    const path = await serveAll(t, capitals);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const { code, stdout } = await run(t, ['replay', await recorded(t, signal), path]);
      assert.equal(code, 0);
      assert.match(stdout, /^3 sent, 3 of 3 received as recorded, 0 differences$/m);
    }
  });

  it('can be piped into replay', async (t) => {
    const service = await serveAll(t, capitals);
    const between = scratchPath('between');
    const trace = await tracing(t, between, service, '--write', '-', '--once');
    trace.process.stdout.setEncoding('latin1');
    const client = closing(t, await connect(between));
    await client.send(Buffer.from('once'));
    await client.receiveMessage();
    client.close();
    const { code, stdout } = await trace.ended;
    assert.equal(code, 0);
    const replay = new Cli(t, ['replay', '-', service]);
    replay.process.stdin.end(Buffer.from(stdout, 'latin1'));
    assert.match((await replay.ended).stdout, /^1 sent, 1 of 1 received as recorded, 0 differences$/m);
  });

  it('is replayed against another service, and differences are shown', async (t) => {
    const file = await recording(t);
    const other = await serveAll(t, (data) =>
      String(data) === 'hello' ? Buffer.from('bye') : capitals(data),
    );
    const { code, stdout, stderr } = await run(t, ['replay', '--quiet', file, other]);
    assert.equal(code, 1);
    assert.match(stdout, /#1 <- 3 bytes that differ\n {2}recorded:\n.*HELLO\n {2}received:\n.*bye\n/);
    assert.match(stdout, /^3 sent, 2 of 3 received as recorded, 1 difference$/m);
    assert.match(stderr, /#1 sent without descriptor 0: character device \/dev\/null/);
    const any = await run(t, ['replay', '--any-answer', '--connection', '1', file, other]);
    assert.equal(any.code, 0);
  });

  it('is compared except for the parts that --ignore matches', { skip: missing('python3') }, async (t) => {
    const path = scratchPath();
    const script = `
      import itertools, time
      listener = listen(args[0])
      for number in itertools.count(args[1]):
          sock = listener.accept()[0]
          while data := sock.recv(1000):
              prefix = f'id={number} time={time.time_ns()} '.encode()
              sock.send(prefix + (args[2].encode() if len(data) > 1 else b'\\xff') + data)
          sock.close()
    `;
    const service = new Python(t, script, path, 9, 'ä');
    assert.equal(await service.says(), 'listening');
    const between = scratchPath('between');
    const file = scratchPath('talk.pcapng');
    const trace = await tracing(t, between, path, '--write', file, '--once');
    const client = await run(t, ['connect', '-m', 'status', '-m', 'x', between]);
    assert.match(client.stdout, /^id=9 time=\d+ ästatus\nid=9 /);
    assert.equal((await trace.ended).code, 0);

    const replayed = (...options: string[]) => run(t, ['replay', '--quiet', ...options, file, path]);
    const one = await replayed('--ignore', 'time=\\d+');
    assert.match(one.stdout, /^2 sent, 0 of 2 received as recorded, 2 differences$/m);
    const both = await replayed('--ignore', 'time=\\d+', '--ignore', '^id=\\d+');
    assert.deepEqual([both.code, both.stdout], [0, '']);
    // A match in one of them only is a difference.
    const other = await serveAll(t, (data) =>
      Buffer.concat([Buffer.from('time=1 '), data.length > 1 ? Buffer.from('ä') : Buffer.of(0xff), data]),
    );
    const ignoring = ['--ignore', 'time=\\d+', '--ignore', '^id=\\d+ '];
    assert.equal((await run(t, ['replay', ...ignoring, file, other])).code, 1);
  });

  it('of a flood is done again without waiting for each other for ever', async (t) => {
    const service = await serveAll(t, capitals);
    const between = scratchPath('between');
    const file = scratchPath('flood.pcapng');
    const trace = await tracing(t, between, service, '--write', file, '--bytes', '0');
    const client = closing(t, await connect(between));
    const messages = Array.from({ length: 3000 }, (_, index) => Buffer.alloc(100, String(index)));
    const sending = client.sendMany(messages).then(() => client.shutdown('send'));
    let answers = 0;
    // All are sent before the first answer is received, as far as there is room.
    await new Promise((resolve) => setTimeout(resolve, 50));
    for await (const _ of client) answers++;
    await sending;
    assert.equal(answers, messages.length);
    // What was shown last is still to be written.
    assert.equal((await trace.interrupted('SIGTERM')).code, 0);
    const { code, stdout } = await run(t, ['replay', '--bytes', '0', file, service]);
    assert.equal(code, 0);
    assert.match(stdout, /^3000 sent, 3000 of 3000 received as recorded, 0 differences$/m);
  });

  it('contains every message a client has received, even if the trace ends early', async (t) => {
    const service = await serveAll(t, (data) => data.subarray(0, ANSWER_BYTES));
    const between = scratchPath('between');
    const file = scratchPath('middle.pcapng');
    const trace = await tracing(t, between, service, '--write', file, '--bytes', '0');
    const client = closing(t, await connect(between));
    const sending = (async () => {
      for (;;) await client.send(Buffer.alloc(2 * ANSWER_BYTES));
    })();
    let answers = 0;
    const receiving = (async () => {
      for await (const _ of client) if (++answers === 5000) trace.process.kill('SIGTERM');
    })();
    await Promise.allSettled([sending, receiving]);
    assert.equal((await trace.ended).code, 0);
    const recordedAnswers = packetSizes(file).filter((size) => size === ANSWER_BYTES).length;
    assert.ok(
      recordedAnswers >= answers && answers >= 5000,
      `${recordedAnswers} of ${answers} are in the file`,
    );
  });

  it('stands in for the service', async (t) => {
    const file = await recording(t);
    const path = scratchPath();
    const replay = new Cli(t, ['replay', '--direction', 'server', '--connection', '1', file, path]);
    await replay.tells('listening at ');
    const client = closing(t, await connect(path, { emptyMessages: 'deliver' }));
    await client.send(Buffer.from('hello'));
    assert.equal(String((await client.receiveMessage()).data), 'HELLO');
    await client.send(Buffer.alloc(0));
    assert.equal((await client.receiveMessage()).data.length, 0);
    client.shutdown('send');
    await assert.rejects(client.receiveMessage(), { code: 'EOF' });
    assert.equal((await replay.ended).code, 0);
  });

  it('is waited for only so long', async (t) => {
    const file = await recording(t);
    const path = scratchPath();
    closing(t, listen(path));
    const { code, stderr } = await run(t, ['replay', '--timeout', '0.2', file, path]);
    assert.equal(code, 124);
    assert.match(stderr, /^seqpacket: #1: a recorded message was not received within 0.2 s$/m);
  });

  it('that is read from a pipe does not hold back a signal', async (t) => {
    const cli = new Cli(t, ['replay', '-', scratchPath()]);
    cli.process.stdin.write(readFileSync(await recording(t)).subarray(0, 100));
    const catchesSighup = () => {
      // Before execve(2), the handlers are those of this process.
      if (!readFileSync(`/proc/${cli.process.pid}/cmdline`, 'utf8').includes('replay')) return false;
      const status = readFileSync(`/proc/${cli.process.pid}/status`, 'utf8');
      return (BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)![1]}`) & 1n) !== 0n;
    };
    while (!catchesSighup()) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(await cli.interrupted('SIGHUP'), { code: 129, stdout: '', stderr: '' });
  });

  it('has to be one', async (t) => {
    const path = await serveAll(t, capitals);
    const garbage = scratchPath('garbage');
    const whole = readFileSync(await recording(t));
    const withBlock = (type: number, length: number) => {
      const block = Buffer.alloc(length);
      for (const [at, value] of [type, length].entries()) block.writeUInt32LE(value, 4 * at);
      return Buffer.concat([whole.subarray(0, whole.readUInt32LE(4)), block]);
    };
    const contents: [Buffer, RegExp][] = [
      [Buffer.from('this is a text, and no recording'), /not a pcapng file/],
      [Buffer.alloc(0), /not a pcapng file/],
      [withBlock(1, 12), /an interface is malformed/],
      [withBlock(6, 20), /a packet is malformed/],
      [Buffer.concat([whole, Buffer.alloc(64, 0xee)]), /a block is malformed/],
    ];
    for (const [content, reason] of contents) {
      writeFileSync(garbage, content);
      const { code, stderr } = await run(t, ['replay', garbage, path]);
      assert.equal(code, 1);
      assert.match(stderr.trim().split('\n').at(-1)!, reason);
      assert.match(stderr, /is not a recording of "seqpacket trace --write"/);
    }
    const { stderr } = await run(t, ['replay', '/nonexistent', path]);
    assert.match(stderr, /^seqpacket: cannot open \/nonexistent: ENOENT/);
  });

  it('that cannot be written any more does not stop the forwarding', async (t) => {
    const service = await serveAll(t, capitals);
    const between = scratchPath('between');
    const trace = await tracing(t, between, service, '--write', '/dev/full');
    const client = closing(t, await connect(between));
    for (const text of ['one', 'two']) {
      await client.send(Buffer.from(text));
      assert.equal(String((await client.receiveMessage()).data), text.toUpperCase());
      await trace.tells('recording to /dev/full has stopped, forwarding continues: ENOSPC');
    }
    assert.equal((await trace.interrupted()).code, 1);
  });
});
