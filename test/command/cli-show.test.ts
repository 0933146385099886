/** `seqpacket show`: recordings are shown as `trace` has shown the traffic. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen } from 'seqpacket';
import { Cli, parsed, run, tracing } from '../support/command.js';
import { Page } from '../support/inspector.js';
import { Python } from '../support/peers.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';

const WITH_PYTHON = { timeout: 120_000, skip: missing('python3') };

const SERVICE = `
listener = listen(args[0])

# Closes without receiving everything.
sock = listener.accept()[0]
sock.send('{"answer": "größer"}'.encode() + sock.recv(1000))
sock.recv(1000, socket.MSG_PEEK)
sock.close()

# Receives nothing.
sock = listener.accept()[0]
sock.shutdown(socket.SHUT_RD)
sock.send(b'ready')
hear()
sock.close()

sock = listener.accept()[0]
data, fds, _, _ = socket.recv_fds(sock, 1000, 10)
socket.send_fds(sock, [b''], [fds[0]])
sock.send(bytes(range(256)) * 3)
while sock.recv(1000): pass
sock.close()
`;

const CLIENT = `
sock = connect(args[0])
sock.send(b'{"question": [1, 2]}')
sock.recv(1000)
sock.send(b'never read')
try: sock.recv(1000)
except ConnectionResetError: pass
sock.close()

sock = connect(args[0])
sock.recv(1000)
try:
    while True: sock.send(b'never delivered')
except BrokenPipeError: pass
say('refused')
sock.recv(1000)
sock.close()

sock = connect(args[0])
file = args[1] + '/with\\nline feed'
with open(file, 'w') as strange: strange.write('12345')
socket.send_fds(sock, [b'caf\\xe9'], [os.open(file, os.O_RDONLY), sock.fileno()])
sock.recv(1000)
sock.recv(1000)
if os.fork() == 0:
    sock.send(b'sent by a child')
    os._exit(0)
os.wait()
sock.send(b'one\\ntwo\\n')
sock.shutdown(socket.SHUT_WR)
sock.recv(1000)
`;

interface Traffic {
  file: string;
  /** The output of trace. */
  shown: string;
}

/** Traffic of two programs, as trace has shown and recorded it. */
async function traffic(t: TestContext, ...options: string[]): Promise<Traffic> {
  const path = scratchPath();
  const between = scratchPath('between');
  const file = scratchPath('talk.pcapng');
  const service = new Python(t, SERVICE, path);
  assert.equal(await service.says(), 'listening');
  const trace = await tracing(t, between, path, '--write', file, ...options);
  const client = new Python(t, CLIENT, between, scratchDirectory());
  for (const expected of ['connected', 'connected', 'refused']) assert.equal(await client.says(), expected);
  service.tell('close');
  await client.finished();
  await service.finished();
  const { code, stdout } = await trace.interrupted();
  assert.equal(code, 0, trace.stderr);
  return { file, shown: stdout };
}

/** A message in the output of `trace --json` and `show --json`. */
interface ShownMessage {
  connection: number;
  direction: string;
  size: number;
  data?: string;
  base64?: string;
  fds: unknown[];
}

let common: { content: Buffer; shown: string } | undefined;

/** For tests that only read it. */
async function commonTraffic(t: TestContext): Promise<Traffic> {
  if (common === undefined) {
    const { file, shown } = await traffic(t, '--json');
    common = { content: readFileSync(file), shown };
  }
  const file = scratchPath('talk.pcapng');
  writeFileSync(file, common.content);
  return { file, shown: common.shown };
}

describe('show', WITH_PYTHON, () => {
  for (const options of [[], ['--bytes', '20'], ['--text'], ['--text', '--bytes', '3'], ['--json']]) {
    it(`shows the same as trace ${options.join(' ')}`, async (t) => {
      const { file, shown } = await traffic(t, ...options);
      for (const part of ['connection reset', 'not delivered', 'end of file', 'closed', 'line feed', '768'])
        assert.ok(shown.includes(part), `${part} was not tried`);
      const { code, stdout, stderr } = await run(t, ['show', ...options, file]);
      assert.deepEqual([code, stderr], [0, '']);
      // A path is recorded with escapes.
      assert.equal(stdout, shown.replaceAll('with\\nline feed', 'with\\\\x0aline feed'));
    });
  }

  it('reads standard input, while it is written', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const service = new Python(
      t,
      "sock = listen(args[0]).accept()[0]\nsock.send(b'hello')\nsock.recv(9)",
      path,
    );
    assert.equal(await service.says(), 'listening');
    const show = new Cli(t, ['show', '--text', '-']);
    const trace = new Cli(t, ['trace', between, path, '--write', '-']);
    trace.process.stdout.setEncoding('latin1');
    trace.process.stdout.on('data', (piece: string) => show.process.stdin.write(piece, 'latin1'));
    await trace.tells('listening at ');
    const client = new Cli(t, ['connect', between]);
    await show.prints('    hello\n');
    assert.equal((await show.interrupted()).code, 130);
    await client.done();
  });

  it('selects messages', async (t) => {
    const { file, shown } = await commonTraffic(t);
    const all = parsed(shown);
    const messages = all.filter(({ event }) => event === 'message') as unknown as ShownMessage[];
    const sizes = (some: { size?: unknown }[]) => some.map(({ size }) => size);
    const selected = async (...options: string[]) => {
      const { code, stdout, stderr } = await run(t, ['show', '--json', ...options, file]);
      assert.equal(code, 0, stderr);
      return parsed(stdout);
    };
    const third = await selected('--connection', '3');
    assert.deepEqual(
      third.map(({ event }) => event),
      all.filter(({ connection }) => connection === 3).map(({ event }) => event),
    );
    for (const [options, test] of [
      [['--direction', 'client'], ({ direction }) => direction === 'to server'],
      [['--direction', 'server'], ({ direction }) => direction === 'to client'],
      [['--min-size', '20'], ({ size }) => size >= 20],
      [['--max-size', '5'], ({ size }) => size <= 5],
      [['--min-size', '5', '--max-size', '10'], ({ size }) => size >= 5 && size <= 10],
      [['--descriptors'], ({ fds }) => fds.length > 0],
      [['--match', '"gr.ßer"'], ({ data }) => data?.includes('größer')],
      [['--match', '^two$'], ({ data }) => data?.includes('two')],
      // Contents that are not UTF-8 are Latin-1.
      [['--match', 'café'], ({ base64 }) => base64 === Buffer.from('café', 'latin1').toString('base64')],
      [
        ['-n', '1', '--direction', 'client', '--match', 'n'],
        (each) => each.connection === 1 && each.size <= 20 && each.direction === 'to server',
      ],
    ] as [string[], (message: ShownMessage) => boolean][]) {
      const expected = messages.filter(test);
      assert.ok(expected.length > 0 && expected.length < messages.length, options.join(' '));
      assert.deepEqual(sizes(await selected(...options)), sizes(expected), options.join(' '));
    }
  });

  it('reports that nothing is selected', async (t) => {
    const { file } = await commonTraffic(t);
    for (const [options, reason] of [
      [['--match', 'no such text'], `no message in ${file} is selected`],
      [['--connection', '1', '--descriptors'], `no message in ${file} is selected`],
      [['--connection', '7'], `no connection 7 in ${file}`],
    ] as const) {
      const outcome = await run(t, ['show', ...options, file]);
      assert.deepEqual(outcome, { code: 1, stdout: '', stderr: `seqpacket: ${reason}\n` });
    }
    const garbage = scratchPath('garbage');
    writeFileSync(garbage, 'this is a text');
    const { code, stderr } = await run(t, ['show', garbage]);
    assert.equal(code, 1);
    assert.match(stderr, /is not a recording of "seqpacket trace --write": not a pcapng file/);
    const empty = scratchPath('empty.pcapng');
    writeFileSync(empty, readFileSync(file).subarray(0, readFileSync(file).readUInt32LE(4)));
    assert.equal((await run(t, ['show', empty])).stderr, `seqpacket: no connection in ${empty}\n`);
  });

  it('shows a recording that ends early', async (t) => {
    const { file } = await commonTraffic(t);
    const cut = scratchPath('cut.pcapng');
    const content = readFileSync(file);
    writeFileSync(cut, content.subarray(0, content.indexOf('größer') + 10));
    const { code, stdout } = await run(t, ['show', '--text', cut]);
    assert.equal(code, 0);
    assert.match(stdout, /^\S+ #1 open: client .*\n\S+ #1 -> 20 bytes.*\n {4}\{"question": \[1, 2\]\}\n$/);
  });

  it('shows a file that Wireshark has saved', { skip: missing('editcap') }, async (t) => {
    const { file, shown } = await commonTraffic(t);
    const saved = scratchPath('saved.pcapng');
    const options = { env: unsanitizedEnvironment(), stdio: 'ignore' } as const;
    execFileSync('editcap', ['-F', 'pcapng', file, saved], options);
    const { code, stdout, stderr } = await run(t, ['show', '--json', saved]);
    assert.equal(code, 0, stderr);
    const essential = (text: string) =>
      parsed(text)
        .filter(({ event }) => event !== 'closed')
        .map(({ event, time, connection, data, detail }) => {
          return [event, event === 'open' ? '' : time, connection, data, detail];
        });
    assert.deepEqual(essential(stdout), essential(shown));
  });
});

describe('show --web', { timeout: 60_000 }, () => {
  it('serves the connections, with the selected messages', async (t) => {
    const [from, to, file] = [scratchPath('between'), scratchPath(), scratchPath('talk.pcapng')];
    const acceptor = listen(to);
    const trace = await tracing(t, from, to, '--once', '--write', file);
    const client = await connect(from);
    const server = await acceptor.accept();
    for (const text of ['one', 'two', 'three']) await client.send(text);
    client.close();
    for (let count = 0; count < 3; count++) await server.receiveMessage();
    server.close();
    acceptor.close();
    assert.equal((await trace.ended).code, 0);

    for (const [options, messages] of [
      [[], ['one', 'two', 'three']],
      [['--match', '^t', '--max-size', '3'], ['two']],
    ] as const) {
      const shown = new Cli(t, ['show', file, ...options, '--web']);
      await shown.tells('in a browser\n');
      const stream = await new Page(shown.stderr).frames(t);
      await stream.ended();
      const received = stream.frames.filter(({ type }) => type === 'message');
      assert.deepEqual(
        received.map(({ data }) => String(data)),
        messages,
      );
      assert.deepEqual(stream.frames[0]?.type === 'hello' && stream.frames[0].title, 'talk.pcapng');
      assert.equal(stream.frames[1]?.type, 'connection');
      assert.equal((await shown.interrupted()).code, 0);
    }
  });

  it('refuses what no page could show', async (t) => {
    const file = scratchPath('file');
    writeFileSync(file, 'no recording');
    for (const [args, code, message] of [
      [[file, '--web'], 1, /is not a recording/],
      [[scratchPath('missing'), '--web'], 1, /no such file/],
      [['-', '--web'], 2, /--web needs a file/],
      [[file, '--web', '--json'], 2, /cannot be used with option/],
      [[file, '--web', '99999'], 2, /A port number/],
    ] as const) {
      const ended = await run(t, ['show', ...args]);
      assert.equal(ended.code, code);
      assert.match(ended.stderr, message);
    }
  });
});
