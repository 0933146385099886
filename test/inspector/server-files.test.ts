/** Recordings: exported from a page of the inspector, dropped on it, and shown by it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen } from 'seqpacket';
import { residentKilobytes, run } from '../support/command.js';
import {
  encodeFrame,
  type Frame,
  framesIn,
  inspected,
  PARTS,
  Page,
  type Read,
  readRecording,
} from '../support/inspector.js';
import { closing } from '../support/peers.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };
const PROGRAM = { encoding: 'utf8', timeout: 20_000, env: unsanitizedEnvironment() } as const;

function post(page: Page, path: string, body: Uint8Array | string) {
  return page.ask(path, { method: 'POST', body });
}

/** The frames of a short conversation, as a page has them, and the recording that trace has written of it. */
async function conversation(t: TestContext) {
  const path = scratchPath();
  const between = scratchPath('between');
  const file = scratchPath('talk.pcapng');
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  const { trace, page } = await inspected(t, between, path, '--quiet', '--write', file);
  const stream = await page.frames(t);
  const fd = openSync('/dev/null', 'r');
  for (const name of ['one', 'two']) {
    const client = closing(t, await connect(between, { emptyMessages: 'deliver' }));
    const server = closing(t, await acceptor.accept());
    await client.sendWithFds(Buffer.from(`${name} "ä"`), [fd]);
    for (const each of (await server.receiveMessage({ maxFds: 1 })).fds) each.close();
    await server.send(Buffer.from([0, 255, 10]));
    await client.receiveMessage();
    await client.send(Buffer.alloc(0));
    await server.receiveMessage();
    assert.equal((await page.send(name === 'one' ? 1 : 2, 'to server', 'again')).status, 204);
    await server.receiveMessage();
    client.close();
    server.close();
  }
  closeSync(fd);
  await stream.all('event', 6);
  return { trace, page, file, frames: stream.frames.filter(({ type }) => type !== 'queues') };
}

function encoded(frames: readonly Read[]): Buffer {
  return Buffer.concat(frames.map(({ data, ...frame }) => encodeFrame(frame as Frame, data)));
}

async function eventsOf(file: string) {
  const events = [];
  for await (const event of readRecording(file)) events.push(event);
  return events;
}

/** What a recording keeps of a message. */
function essence(frames: readonly Read[]): object[] {
  return frames.flatMap((frame): object[] => {
    if (frame.type === 'message') {
      const { connection, time, direction, data, isSentAgain } = frame;
      const fds = frame.fds.map(({ kind, target, access, size }) => ({ kind, target, access, size }));
      return [{ connection, time, direction, data: data.toString('hex'), fds, isSentAgain }];
    }
    if (frame.type === 'event' && frame.direction !== undefined) {
      const { connection, time, direction, event } = frame;
      return [{ connection, time, direction, event }];
    }
    return frame.type === 'connection' ? [{ connection: frame.connection, peers: frame.peers }] : [];
  });
}

describe('an export', TIMEOUT, () => {
  it('is the same file as trace has written', async (t) => {
    const { trace, page, file, frames } = await conversation(t);
    const answer = await post(page, '/api/export', encoded(frames));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/x-pcapng');
    assert.equal((await trace.interrupted()).code, 0);
    const exported = scratchPath('exported.pcapng');
    writeFileSync(exported, answer.body);
    const events = await eventsOf(exported);
    assert.equal(events.length, 16);
    // Not their times, which are taken once for both; and not the order of blocks, which is not that of the page.
    assert.deepEqual(events, await eventsOf(file));
    assert.ok(answer.body.equals(readFileSync(file)));
  });

  it('is opened by tshark, and replayed', { skip: missing('tshark') }, async (t) => {
    const { page, frames } = await conversation(t);
    const some = frames.filter((frame) => !('connection' in frame) || frame.connection === 2);
    const { body } = await post(page, '/api/export', encoded(some));
    const file = scratchPath('exported.pcapng');
    writeFileSync(file, body);
    const fields = ['frame.interface_name', 'frame.packet_flags_direction', 'data.data', 'frame.comment'];
    const args = ['-r', file, '-T', 'fields', '-E', 'separator=|', ...fields.flatMap((each) => ['-e', each])];
    const lines = execFileSync('tshark', args, { ...PROGRAM, stdio: ['ignore', 'pipe', 'ignore'] });
    const hex = (text: string) => Buffer.from(text).toString('hex');
    assert.deepEqual(
      lines
        .trim()
        .split('\n')
        .map((line) => line.replace(/0x0+/, '')),
      [
        `connection 2|2|${hex('two "ä"')}|descriptor 0: character device /dev/null (read-only, mode 666)`,
        'connection 2|1|00ff0a|',
        'connection 2|2||',
        `connection 2|2|${hex('again')}|sent by the page`,
        'connection 2|2||end of file',
        'connection 2|1||end of file',
      ],
    );
    const path = scratchPath();
    const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
    (async () => {
      const socket = closing(t, await acceptor.accept());
      for await (const _ of socket.messages())
        if (socket.isOpen) await socket.send(Buffer.from([0, 255, 10]));
    })().catch(() => {});
    const { stdout } = await run(t, ['replay', file, path]);
    assert.match(stdout, /^#2 -> 8 bytes/m);
  });

  it('of malformed frames is refused', async (t) => {
    const { page } = await inspected(t, scratchPath('between'), scratchPath());
    const message: Frame = { type: 'message', connection: 1, time: 1, direction: 'to server', fds: [] };
    const opened: Frame = { type: 'connection', connection: 1, time: 1, peers: '' };
    const whole = Buffer.concat([encodeFrame(opened), encodeFrame(message, Buffer.from('x'))]);
    assert.equal((await post(page, '/api/export', whole)).status, 200);
    assert.equal((await post(page, '/api/export', '')).status, 200);
    const wrong = (frame: object) => encodeFrame(frame as Frame);
    for (const [name, body] of [
      ['not frames', Buffer.from('x'.repeat(1000))],
      ['cut', whole.subarray(0, -1)],
      ['no JSON', Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0x7b])],
      ['null', wrong(null as unknown as object)],
      ['an unknown connection', encodeFrame(message, Buffer.from('x'))],
      ['a wrong time', Buffer.concat([encodeFrame(opened), wrong({ ...message, time: 'now' })])],
      ['a negative time', Buffer.concat([encodeFrame(opened), wrong({ ...message, time: -1 })])],
      ['a wrong direction', Buffer.concat([encodeFrame(opened), wrong({ ...message, direction: 'up' })])],
      ['no descriptors', Buffer.concat([encodeFrame(opened), wrong({ ...message, fds: undefined })])],
      ['no peers', wrong({ ...opened, peers: undefined })],
    ] as const) {
      const answer = await post(page, '/api/export', body);
      assert.equal(answer.status, 422, name);
      assert.match(String(answer.headers['content-type']), /^text\/plain/, name);
      assert.ok(answer.body.length > 1, name);
    }
  });

  it('of more than the memory of the server passes through it', async (t) => {
    const { trace, page } = await inspected(t, scratchPath('between'), scratchPath());
    const opened = encodeFrame({ type: 'connection', connection: 1, time: 1, peers: '' });
    const one = encodeFrame(
      { type: 'message', connection: 1, time: 1, direction: 'to server', fds: [] },
      Buffer.alloc(200_000, 'x'),
    );
    const body = Buffer.concat([opened, ...Array.from({ length: 800 }, () => one)]);
    const before = residentKilobytes(trace.process.pid as number);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentKilobytes(trace.process.pid as number));
    }, 20);
    const answer = await post(page, '/api/export', body);
    clearInterval(watch);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.length > 160_000_000);
    t.diagnostic(`from ${before} to ${most} KB`);
    if (process.env['SEQPACKET_SANITIZED'] === undefined) assert.ok(most < before + 110_000);
  });
});

describe('an import', TIMEOUT, () => {
  it('gives the frames that were exported, and what trace has written', async (t) => {
    const { trace, page, file, frames } = await conversation(t);
    const { body } = await post(page, '/api/export', encoded(frames));
    const answer = await post(page, '/api/import', body);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
    assert.deepEqual(essence(framesIn(answer.body)), essence(frames));
    assert.equal((await trace.interrupted()).code, 0);
    const other = await inspected(t, scratchPath('between'), scratchPath());
    const again = await post(other.page, '/api/import', readFileSync(file));
    assert.ok(again.body.equals(answer.body));
  });

  it('of other files is refused, with the reason', async (t) => {
    const { page, frames } = await conversation(t);
    const { body } = await post(page, '/api/export', encoded(frames));
    const ethernet = Buffer.from(body);
    const at = ethernet.readUInt32LE(4);
    ethernet.writeUInt16LE(1, at + 8);
    for (const [name, file, reason] of [
      ['nothing', Buffer.alloc(0), /not a pcapng file/],
      ['text', Buffer.from('hello, I am a text that is long enough'), /not a pcapng file/],
      ['a picture', Buffer.from('89504e470d0a1a0a0000000d494844520000', 'hex'), /not a pcapng file/],
      ['another capture', ethernet, /its link type is 1, not 147/],
      ['zeros in the middle', Buffer.concat([body, Buffer.alloc(100)]), /a block is malformed/],
    ] as const) {
      const answer = await post(page, '/api/import', file);
      assert.equal(answer.status, 422, name);
      assert.match(String(answer.body), /^the file is not a recording of "seqpacket trace --write": /, name);
      assert.match(String(answer.body), reason, name);
    }
  });
});

describe('long bodies', TIMEOUT, () => {
  /** Sends a body without an end, until there is an answer. */
  async function endless(page: Page, path: string, headers: Record<string, string>): Promise<string> {
    const { connect: connectTcp } = await import('node:net');
    const socket = connectTcp(page.port, '127.0.0.1');
    const lines = Object.entries({
      Host: `127.0.0.1:${page.port}`,
      'X-Seqpacket-Token': page.token,
      ...headers,
    })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    socket.write(`POST ${path} HTTP/1.1\r\n${lines}\r\n`);
    const piece = Buffer.alloc(1_000_000, 'x');
    const chunk = Buffer.concat([
      Buffer.from(`${piece.length.toString(16)}\r\n`),
      piece,
      Buffer.from('\r\n'),
    ]);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text) => {
      answer += text;
    });
    socket.on('error', () => {});
    while (answer === '' && !socket.destroyed) {
      // A length that is too long is refused before the body is sent.
      if ('Transfer-Encoding' in headers && socket.writableLength < chunk.length) socket.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    socket.destroy();
    return answer;
  }

  it('are refused, and take no memory', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const acceptor = closing(t, listen(path));
    const { trace, page } = await inspected(t, between, path);
    const client = closing(t, await connect(between));
    const server = closing(t, await acceptor.accept());
    const pid = trace.process.pid as number;
    const before = residentKilobytes(pid);
    const send = '/api/send?connection=1&direction=to%20server';
    for (const [target, headers] of [
      [send, { 'Content-Length': '10000000000' }],
      [send, { 'Transfer-Encoding': 'chunked' }],
      ['/api/export', { 'Content-Length': '10000000000' }],
      ['/api/export', { 'Transfer-Encoding': 'chunked' }],
      ['/api/import', { 'Content-Length': '10000000000' }],
    ] as const) {
      const answer = await endless(page, target, headers as Record<string, string>);
      // Without frames in it, a body is malformed before it is too long.
      const status = target === '/api/export' && 'Transfer-Encoding' in headers ? 422 : 413;
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${target} ${JSON.stringify(headers)}: ${answer}`);
      assert.match(answer, /X-Content-Type-Options: nosniff/);
      // Without the token, too.
      const refused = await endless(page, target, { ...headers, 'X-Seqpacket-Token': 'x' });
      assert.match(refused, /^HTTP\/1\.1 403 /);
    }
    const grown = residentKilobytes(pid) - before;
    t.diagnostic(`${grown} KB more`);
    if (process.env['SEQPACKET_SANITIZED'] === undefined) assert.ok(grown < 250_000, `${grown} KB more`);
    await client.send(Buffer.from('still forwarded'));
    assert.equal(String((await server.receiveMessage()).data), 'still forwarded');
  });

  it('leave no file behind', async (t) => {
    const { page } = await inspected(t, scratchPath('between'), scratchPath());
    const ours = () => readdirSync(tmpdir()).filter((name) => existsSync(`${tmpdir()}/${name}/file`));
    const before = ours();
    await post(page, '/api/export', 'x'.repeat(100));
    await post(page, '/api/import', 'x'.repeat(100));
    assert.deepEqual(
      ours().filter((name) => !before.includes(name)),
      [],
    );
  });
});

/** A process that serves a recording, and a page of it. */
async function serving(t: TestContext, file: string) {
  const directory = scratchDirectory();
  writeFileSync(`${directory}/index.html`, '<!doctype html>');
  const script = `
      import { readRecording, serveRecording, stopOnSignals } from ${JSON.stringify(PARTS)};
      stopOnSignals();
      const [file, directory] = process.argv.slice(1);
      await serveRecording(() => readRecording(file), 'talk.pcapng', 0, directory);
    `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, file, directory], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const served = { child, ended, told: '' };
  child.stderr.setEncoding('utf8').on('data', (piece) => {
    served.told += piece;
  });
  while (!served.told.includes('in a browser\n')) await new Promise((resolve) => setTimeout(resolve, 5));
  return { served, page: new Page(served.told) };
}

describe('a recording', TIMEOUT, () => {
  it('is served to every page, with the files of the page', async (t) => {
    const { trace, file, frames } = await conversation(t);
    assert.equal((await trace.interrupted()).code, 0);
    const { served, page } = await serving(t, file);
    assert.equal(String((await page.ask('/', { token: undefined })).body), '<!doctype html>');
    for (let index = 0; index < 2; index++) {
      const answer = await page.ask('/api/frames');
      const [hello, ...rest] = framesIn(answer.body);
      assert.deepEqual(
        [hello?.type, hello?.type === 'hello' && hello.title, hello?.type === 'hello' && hello.isLive],
        ['hello', 'talk.pcapng', false],
      );
      assert.deepEqual(essence(rest), essence(frames));
    }
    assert.equal((await page.ask('/api/frames', { token: undefined })).status, 403);
    const sent = await page.send(1, 'to server', 'x');
    assert.equal(sent.status, 404);
    assert.match(String(sent.body), /this is a recording/);
    assert.equal((await post(page, '/api/export', encoded(frames))).status, 200);
    served.child.kill('SIGINT');
    assert.equal(await served.ended, 0);
  });

  it('that is malformed cuts the stream, and is reported', async (t) => {
    const { trace, file } = await conversation(t);
    assert.equal((await trace.interrupted()).code, 0);
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(100)]));
    const { served, page } = await serving(t, file);
    await assert.rejects(page.ask('/api/frames'), { code: 'ECONNRESET' });
    assert.match(served.told, /is not a recording of "seqpacket trace --write": a block is malformed/);
    assert.equal((await page.ask('/')).status, 200);
  });
});
