/** `seqpacket connect` and `seqpacket listen`: lines become messages, and messages lines. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { Cli, listening, parsed, run } from '../support/command.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };

/** A service of our own, and a `connect` that is connected with it. */
async function connecting(
  t: TestContext,
  ...options: string[]
): Promise<{ cli: Cli; socket: SeqpacketSocket }> {
  const path = scratchPath();
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  // It does not wait for answers before it shuts down sending: see cli-answers.test.ts.
  const cli = new Cli(t, ['connect', '--shutdown', path, ...options]);
  return { cli, socket: closing(t, await acceptor.accept()) };
}

async function texts(socket: SeqpacketSocket): Promise<string[]> {
  const all: string[] = [];
  for await (const data of socket) all.push(data.toString('latin1'));
  return all;
}

describe('connect', TIMEOUT, () => {
  it('sends lines, half-closes, prints further messages, and ends with the peer', async (t) => {
    const { cli, socket } = await connecting(t);
    cli.process.stdin.end('one\ntwo\n\nthree without an end');
    assert.deepEqual(await texts(socket), ['one', 'two', 'three without an end']);
    await cli.tells('line 3 of the input is empty and not sent');
    for (const text of ['four', '', 'five']) await socket.send(Buffer.from(text));
    socket.close();
    const { code, stdout } = await cli.ended;
    assert.equal(stdout, 'four\n\nfive\n');
    assert.equal(code, 0);
  });

  it('ends soon after the peer, although its input goes on', async (t) => {
    const { cli, socket } = await connecting(t);
    await socket.send(Buffer.from('that was all'));
    socket.close();
    assert.deepEqual(await cli.ended, { code: 0, stdout: 'that was all\n', stderr: '' });
  });

  it('continues to send to a peer that has half-closed', async (t) => {
    const { cli, socket } = await connecting(t, '--verbose');
    socket.shutdown('send');
    await cli.tells('end of file');
    cli.process.stdin.end('still\nheard\n');
    assert.deepEqual(await texts(socket), ['still', 'heard']);
    assert.equal((await cli.ended).code, 0);
  });

  it('reads and writes hex', async (t) => {
    const { cli, socket } = await connecting(t, '--hex');
    cli.process.stdin.end('00 ff 0A\nc0ffee\n');
    assert.deepEqual(await texts(socket), ['\x00\xff\n', '\xc0\xff\xee']);
    await socket.send(Buffer.from([0, 255, 10]));
    socket.close();
    assert.equal((await cli.ended).stdout, '00ff0a\n');
  });

  it('reads and writes base64', async (t) => {
    const { cli, socket } = await connecting(t, '--base64');
    cli.process.stdin.end('AP8K\n');
    assert.deepEqual(await texts(socket), ['\x00\xff\n']);
    await socket.send(Buffer.from([0, 255, 10]));
    socket.close();
    assert.equal((await cli.ended).stdout, 'AP8K\n');
  });

  it('reads and writes with another delimiter', async (t) => {
    const { cli, socket } = await connecting(t, '--delimiter', '\\r\\n', '--send-empty');
    cli.process.stdin.write('one\ntwo\r');
    cli.process.stdin.end('\n\r\nthree');
    assert.deepEqual(await texts(socket), ['one\ntwo', '', 'three']);
    await socket.send(Buffer.from('four'));
    socket.close();
    assert.equal((await cli.ended).stdout, 'four\r\n');
  });

  it('sends the whole input as one message if nothing delimits', async (t) => {
    const { cli, socket } = await connecting(t, '--delimiter', '');
    const input = 'line\n'.repeat(20_000);
    cli.process.stdin.end(input);
    assert.deepEqual(await texts(socket), [input]);
    socket.close();
    assert.equal((await cli.ended).code, 0);
  });

  it('sends lines with their delimiter, including empty lines', async (t) => {
    const { cli, socket } = await connecting(t, '--keep-delimiter');
    cli.process.stdin.end('a\n\nb\n');
    assert.deepEqual(await texts(socket), ['a\n', '\n', 'b\n']);
    socket.close();
    assert.equal((await cli.ended).stderr, '');
  });

  it('does not send a line that decodes to an empty message', async (t) => {
    for (const [option, input, sent] of [
      ['--hex', '61\r\n\r\n62\r\n', ['a', 'b']],
      ['--base64', 'YQ==\n \nYg==\n', ['a', 'b']],
      ['--json', '"a"\r\n\r\n"b"\r\n', ['a', 'b']],
    ] as const) {
      const { cli, socket } = await connecting(t, option);
      cli.process.stdin.end(input);
      assert.deepEqual(await texts(socket), sent);
      socket.close();
      const { code, stderr } = await cli.ended;
      assert.equal(code, 0);
      assert.equal(stderr.includes('line 2 of the input is empty and not sent'), option !== '--json');
    }
    const { cli, socket } = await connecting(t, '-m', '', '-m', 'a');
    assert.deepEqual(await texts(socket), ['a']);
    socket.close();
    assert.match((await cli.ended).stderr, /--message 1 is empty and not sent: .* \(--send-empty sends it\)/);
  });

  it('reads and writes JSON', async (t) => {
    const { cli, socket } = await connecting(t, '--json');
    cli.process.stdin.end(
      '{"data": "two\\nlines"}\n{"hex": "00ff"}\n{"base64": "AA=="}\n"text"\n{"data": ""}\n',
    );
    assert.deepEqual(await texts(socket), ['two\nlines', '\x00\xff', '\x00', 'text', '']);
    await socket.send(Buffer.from('ä'));
    await socket.send(Buffer.from([255]));
    socket.close();
    const { stdout, code } = await cli.ended;
    assert.equal(code, 0);
    const [open, first, second, end] = parsed(stdout);
    assert.equal(open?.['event'], 'open');
    assert.deepEqual([first?.['data'], first?.['size'], first?.['fds']], ['ä', 2, []]);
    assert.equal((first!['credentials'] as { pid: number }).pid, process.pid);
    assert.ok(Math.abs(Date.parse(first?.['time'] as string) - Date.now()) < 60_000);
    assert.deepEqual([second?.['base64'], second?.['size']], ['/w==', 1]);
    assert.equal(end?.['event'], 'end');
  });

  it('sends messages from the command line, and leaves its input alone', async (t) => {
    const { cli, socket } = await connecting(t, '-m', 'one', '--message', 'two');
    assert.deepEqual(await texts(socket), ['one', 'two']);
    socket.close();
    assert.equal((await cli.ended).code, 0);
  });

  it('reports the number of an invalid line, and fails', async (t) => {
    for (const [option, line, reason] of [
      ['--hex', '0g', /line 2 of the input: not pairs of hex digits/],
      ['--base64', 'a', /line 2 of the input: not base64/],
      ['--json', '{"text": "?"}', /line 2 of the input: "text" is unknown; the keys of a message are data/],
      ['--json', '{', /line 2 of the input: not JSON/],
    ] as const) {
      const { cli, socket } = await connecting(t, option);
      cli.process.stdin.end(`${option === '--json' ? '{"data":"x"}' : 'abcd'}\n${line}\nabcd\n`);
      assert.equal((await texts(socket)).length, 1);
      socket.close();
      const { code, stderr } = await cli.ended;
      assert.match(stderr, reason);
      assert.equal(code, 1);
    }
  });

  it('reports unsent messages when the peer has closed', async (t) => {
    const { cli, socket } = await connecting(t);
    socket.shutdown('receive');
    cli.process.stdin.end('lost\n');
    await cli.tells('').then(() => socket.shutdown('send'));
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /line 1 of the input was not sent: the peer has closed the connection/);
    assert.equal(code, 1);
  });

  it('reports that the peer has closed without reading everything', async (t) => {
    const { cli, socket } = await connecting(t);
    cli.process.stdin.write('unread\n');
    while (socket.ioControl('bytesReadable') === 0) await new Promise(setImmediate);
    socket.close();
    const { code, stderr } = await cli.ended;
    assert.match(stderr, /closed without receiving all/);
    assert.equal(code, 1);
  });

  it('gives up after --timeout, with an exit code of its own', async (t) => {
    const { cli } = await connecting(t, '--timeout', '0.2');
    const { code, stderr } = await cli.ended;
    assert.equal(code, 124);
    assert.equal(stderr, 'seqpacket: timeout: nothing was sent or received for 0.2 s (--timeout)\n');
  });

  it('is interrupted with the exit code of the signal', async (t) => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const { cli, socket } = await connecting(t, '--verbose');
      await cli.tells('connected');
      assert.equal((await cli.interrupted(signal)).code, code);
      socket.close();
    }
  });

  it('ends quietly when its output is closed', async (t) => {
    const { cli, socket } = await connecting(t);
    cli.process.stdout.destroy();
    const sending = (async () => {
      for (;;) await socket.send(Buffer.alloc(1000, 'x'));
    })();
    await assert.rejects(sending, /EPIPE|ECONNRESET/);
    const { code, stderr } = await cli.ended;
    assert.equal(stderr, '');
    assert.equal(code, 141);
  });

  it('loses nothing and keeps no more in memory than it must when its reader is slow', async (t) => {
    const { cli, socket } = await connecting(t);
    const { stdout } = cli.process;
    stdout.removeAllListeners('data').pause();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 5000; sent++) await socket.send(Buffer.alloc(1000, 'x'));
      socket.close();
    })();
    // Until the pipe, the command's own buffer and the socket are full.
    for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 100)))
      before = sent;
    assert.ok(sent < 3000, `${sent} messages went somewhere`);
    let bytes = 0;
    stdout.setEncoding('latin1').on('data', (text: string) => {
      bytes += text.length;
    });
    stdout.resume();
    await sending;
    assert.equal((await cli.ended).code, 0);
    assert.equal(bytes, 5000 * 1001);
  });
});

describe('listen', TIMEOUT, () => {
  it('serves one client, and removes its socket file', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--mode', '640']);
    assert.equal(statSync(path).mode & 0o777, 0o640);
    const socket = closing(t, await connect(path));
    await cli.tells('connected');
    assert.equal(existsSync(path), false, 'the next client is told that nobody listens');
    cli.process.stdin.end('welcome\n');
    assert.deepEqual(await texts(socket), ['welcome']);
    await socket.send(Buffer.from('bye'));
    socket.close();
    const { code, stdout } = await cli.ended;
    assert.equal(stdout, 'bye\n');
    assert.equal(code, 0);
  });

  it('--keep: serves many clients, prints their messages, and sends its input to all', async (t) => {
    const path = scratchPath();
    const cli = await listening(t, [path, '--keep', '--json']);
    cli.type('{"data": "for the first"}');
    const one = closing(t, await connect(path));
    // It has waited for somebody to be there.
    assert.equal(String((await one.receiveMessage()).data), 'for the first');
    const two = closing(t, await connect(path));
    await cli.prints('"connection":2');
    cli.type('{"data": "for all"}');
    cli.type('{"data": "for two", "connection": 2}');
    assert.equal(String((await one.receiveMessage()).data), 'for all');
    assert.equal(String((await two.receiveMessage()).data), 'for all');
    assert.equal(String((await two.receiveMessage()).data), 'for two');
    await two.send(Buffer.from('I am two'));
    await cli.prints('I am two');
    two.close();
    await cli.prints('"close"');
    await one.send(Buffer.from('I stay'));
    await cli.prints('I stay');
    const { code, stdout } = await cli.interrupted();
    assert.equal(code, 0);
    const messages = parsed(stdout).filter(({ event }) => event === 'message');
    assert.deepEqual(
      messages.map(({ connection, data }) => [connection, data]),
      [
        [2, 'I am two'],
        [1, 'I stay'],
      ],
    );
    assert.equal((messages[0]!['credentials'] as { pid: number }).pid, process.pid);
    assert.equal(existsSync(path), false);
  });

  it('removes its socket file when it is interrupted or terminated', async (t) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const path = scratchPath();
      const cli = await listening(t, [path]);
      assert.ok(existsSync(path));
      const { stderr } = await cli.interrupted(signal);
      assert.equal(existsSync(path), false);
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
  });

  it('and connect exchange messages, at an abstract name', async (t) => {
    const name = `@seqpacket-test-${process.pid}`;
    const service = await listening(t, [name]);
    service.process.stdin.end('from the service\n');
    const client = await run(t, ['connect', name], 'from the client\n');
    assert.deepEqual(client, { code: 0, stdout: 'from the service\n', stderr: '' });
    assert.equal((await service.ended).stdout, 'from the client\n');
  });

  it('fails after --timeout without a client', async (t) => {
    const { code, stderr } = await run(t, ['listen', scratchPath(), '--timeout', '0.2']);
    assert.equal(code, 124);
    assert.match(stderr, /^seqpacket: timeout: no client connected for 0.2 s/);
  });
});
