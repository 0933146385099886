/** `seqpacket trace --web`: what a page gets of the traffic of a service, and sends into it. */
import assert from 'node:assert/strict';
import { chmodSync, closeSync, openSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { Cli, parsed, run } from '../support/command.js';
import { type FrameStream, framesIn, inspected, Page } from '../support/inspector.js';
import { closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { fillSendQueue } from '../support/sockets.js';

const TIMEOUT = { timeout: 60_000 };

/** A service that answers each message with what it has received, and the number of descriptors. */
const SERVICE = `
  listener = listen(args[0])
  while True:
      connection, _ = listener.accept()
      while True:
          data, fds, flags, _ = socket.recv_fds(connection, 300000, 10)
          for fd in fds: os.close(fd)
          if not data: break
          connection.send(b'echo of ' + data + b' with %d' % len(fds))
      connection.close()
`;

async function service(t: TestContext): Promise<{ path: string; python: Python }> {
  const path = scratchPath();
  const python = new Python(t, SERVICE, path);
  assert.equal(await python.says(), 'listening');
  return { path, python };
}

/** A client and a service, with an inspected trace in between. */
async function ends(t: TestContext, ...options: string[]) {
  const path = scratchPath();
  const between = scratchPath('between');
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  const { trace, page } = await inspected(t, between, path, ...options);
  const client = closing(t, await connect(between, { emptyMessages: 'deliver' }));
  const server = closing(t, await acceptor.accept());
  return { client, server, trace, page, between, acceptor };
}

async function text(socket: SeqpacketSocket): Promise<string> {
  return String((await socket.receiveMessage()).data);
}

describe('a page of the inspector', TIMEOUT, () => {
  it('gets connections, messages and their ends as they come', async (t) => {
    const { path, python } = await service(t);
    const between = scratchPath('between');
    const { page } = await inspected(t, between, path);
    const stream = await page.frames(t);
    const [hello] = await stream.all('hello', 1);
    assert.equal(stream.frames[0]?.type, 'hello');
    assert.equal(hello?.title, `${between} → ${path}`);
    assert.equal(hello?.isLive, true);
    assert.match(String(hello?.version), /^\d+\.\d+\.\d+/);

    const before = Date.now() * 1000;
    const client = closing(t, await connect(between));
    const [opened] = await stream.all('connection', 1);
    const user = userInfo();
    assert.equal(opened?.connection, 1);
    assert.deepEqual(
      { ...opened?.client, command: '' },
      { pid: process.pid, uid: user.uid, gid: user.gid, user: user.username, command: '' },
    );
    assert.match(opened?.client?.command ?? '', /^\S*node .*server-live\.test\.js/);
    assert.equal(opened?.server?.pid, python.process.pid);
    assert.match(opened?.server?.command ?? '', /^\S*python3\S* -I -S .*recv_fds/s);
    assert.match(opened?.peers ?? '', new RegExp(`^client pid ${process.pid}, uid .*; server pid `));

    const file = scratchPath('file');
    writeFileSync(file, 'twelve bytes');
    chmodSync(file, 0o640);
    const fd = openSync(file, 'r');
    t.after(() => closeSync(fd));
    await client.sendWithFds(Buffer.from('<script>'), [fd]);
    const sent = performance.now();
    assert.equal(await text(client), 'echo of <script> with 1');
    const [there, back] = await stream.all('message', 2);
    assert.ok(performance.now() - sent < 5000);
    assert.deepEqual([there?.direction, String(there?.data)], ['to server', '<script>']);
    assert.deepEqual([back?.direction, String(back?.data)], ['to client', 'echo of <script> with 1']);
    assert.deepEqual(there?.fds, [
      { kind: 'file', target: file, access: 'read-only', size: 12, mode: '640' },
    ]);
    assert.deepEqual(there?.credentials, { pid: process.pid, uid: user.uid, gid: user.gid });
    assert.equal(there?.isSentAgain, undefined);
    assert.ok((there?.time ?? 0) >= before - 2000 && (back?.time ?? 0) >= (there?.time ?? 0));

    client.close();
    const events = await stream.all('event', 3);
    assert.deepEqual(
      events.map(({ direction, event }) => [direction, event]),
      [
        ['to server', 'end of file'],
        ['to client', 'end of file'],
        [undefined, 'closed'],
      ],
    );
  });

  it('gets what was before it was opened, and so does each other page', async (t) => {
    const { client, server, page } = await ends(t);
    await client.send(Buffer.from('early'));
    assert.equal(await text(server), 'early');
    const streams = [await page.frames(t), await page.frames(t)];
    await server.send(Buffer.from('late'));
    for (const stream of streams) {
      const messages = await stream.all('message', 2);
      assert.deepEqual(
        messages.map(({ data }) => String(data)),
        ['early', 'late'],
      );
      assert.deepEqual(
        stream.frames.map(({ type }) => type).filter((type) => type !== 'queues'),
        ['hello', 'connection', 'message', 'message'],
      );
    }
  });

  it('gets empty messages, resets, and connections that the service has not accepted', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const { page } = await inspected(t, between, path);
    const stream = await page.frames(t);
    const early = closing(t, await connect(between));
    const [refused] = await stream.all('connection', 1);
    assert.equal(refused?.client?.pid, process.pid);
    assert.equal(refused?.server, undefined);
    assert.match(refused?.peers ?? '', /; no connection to /);
    const [error, closed] = await stream.all('event', 2);
    assert.deepEqual([error?.event, closed?.event], ['error', 'closed']);
    assert.match(error?.detail ?? '', /no such socket/);
    early.close();

    const acceptor = closing(t, listen(path));
    const client = closing(t, await connect(between, { emptyMessages: 'deliver' }));
    const server = closing(t, await acceptor.accept());
    await client.send(Buffer.alloc(0));
    const [empty] = await stream.all('message', 1);
    assert.deepEqual([empty?.connection, empty?.data.length], [2, 0]);
    await server.send(Buffer.from('never read'));
    while (client.ioControl('bytesReadable') === 0) await new Promise(setImmediate);
    client.close();
    await stream.until(() =>
      stream.frames.some((frame) => frame.type === 'event' && frame.event === 'connection reset'),
    );
  });

  it('sends messages in both directions, which are shown and recorded, too', async (t) => {
    const file = scratchPath('talk.pcapng');
    const { client, server, page, trace } = await ends(t, '--json', '--write', file);
    const stream = await page.frames(t);
    await client.send(Buffer.from('first'));
    assert.equal(await text(server), 'first');
    for (const [direction, receiver] of [
      ['to server', server],
      ['to client', client],
    ] as const) {
      for (const data of [Buffer.from(direction), Buffer.alloc(0), Buffer.alloc(200_000, 7)]) {
        const answer = await page.send(1, direction, data);
        assert.deepEqual([answer.status, answer.body.length], [204, 0]);
        assert.ok((await receiver.receiveMessage()).data.equals(data));
      }
    }
    const messages = await stream.all('message', 7);
    assert.deepEqual(
      messages.map(({ direction, data, isSentAgain }) => [direction, data.length, isSentAgain]),
      [
        ['to server', 5, undefined],
        ['to server', 9, true],
        ['to server', 0, true],
        ['to server', 200_000, true],
        ['to client', 9, true],
        ['to client', 0, true],
        ['to client', 200_000, true],
      ],
    );
    client.close();
    server.close();
    await trace.prints('"closed"');
    const shown = parsed(trace.stdout).filter(({ event }) => event === 'message');
    assert.deepEqual(
      shown.map(({ size, isSentAgain }) => [size, isSentAgain]),
      messages.map(({ data, isSentAgain }) => [data.length, isSentAgain]),
    );
    assert.equal((await trace.interrupted()).code, 0);
    const { stdout } = await run(t, ['replay', '--help']);
    assert.ok(stdout.length > 0);
  });

  it('shows in the terminal which messages it has sent', async (t) => {
    const { server, page, trace } = await ends(t);
    await page.send(1, 'to server', 'again');
    await text(server);
    await trace.prints('#1 -> 5 bytes, sent by the page\n');
  });

  it('sends between two whole messages', async (t) => {
    const { client, server, page } = await ends(t, '--quiet');
    const stream = await page.frames(t);
    const COUNT = 2000;
    const flood = (async () => {
      for (let index = 0; index < COUNT; index++) await client.send(Buffer.alloc(1 + (index % 900), 1));
      client.shutdown('send');
    })();
    const injected = (async () => {
      let sent = 0;
      while ((await page.send(1, 'to server', Buffer.alloc(1000, 2))).status === 204) sent++;
      return sent;
    })();
    const received: Buffer[] = [];
    for await (const data of server) received.push(data);
    server.close();
    await flood;
    const sent = await injected;
    t.diagnostic(`${sent} messages were sent in between`);
    assert.ok(sent > 0);
    const own = received.filter((data) => data[0] === 2);
    assert.ok(own.every((data) => data.equals(Buffer.alloc(1000, 2))));
    assert.equal(own.length, sent);
    const others = received.filter((data) => data[0] === 1);
    assert.deepEqual(
      others.map(({ length }) => length),
      Array.from({ length: COUNT }, (_, index) => 1 + (index % 900)),
    );
    // The page sees the order in which the service has received them.
    const messages = await stream.all('message', received.length);
    assert.ok(messages.every(({ data }, index) => data.equals(received[index] as Buffer)));
  });

  it('sends after a message that is shown, but waits for the terminal', async (t) => {
    const { client, server, page, trace } = await ends(t, '--json');
    trace.process.stdout.pause();
    const stream = await page.frames(t);
    const received: string[] = [];
    const receiving = (async () => {
      for await (const data of server) received.push(String(data.subarray(0, 9)));
    })();
    let count = 0;
    // Until trace waits for its output.
    for (let more = -1; more !== 0; await new Promise((resolve) => setTimeout(resolve, 100))) {
      for (more = 0; client.trySend(Buffer.alloc(50_000, String(count % 10))); more++) count++;
    }
    const answer = page.send(1, 'to server', 'in between');
    await new Promise((resolve) => setTimeout(resolve, 200));
    trace.process.stdout.resume();
    assert.equal((await answer).status, 204);
    client.close();
    await receiving;
    server.close();
    const messages = await stream.all('message', count + 1);
    assert.deepEqual(
      messages.map(({ data }) => String(data.subarray(0, 9))),
      received,
    );
  });

  it('waits with a message for the receiver, and the end of file waits for the message', async (t) => {
    const { client, server, page } = await ends(t, '--quiet');
    const answers: number[] = [];
    const sending: Promise<unknown>[] = [];
    do {
      const answer = page.send(1, 'to server', Buffer.alloc(50_000, sending.length));
      sending.push(answer.then(({ status }) => answers.push(status)));
      await new Promise((resolve) => setTimeout(resolve, 200));
    } while (answers.length === sending.length);
    client.shutdown('send');
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(answers.length, sending.length - 1);
    const received: number[] = [];
    for await (const data of server) received.push(data[0] as number);
    await Promise.all(sending);
    assert.ok(answers.every((status) => status === 204));
    assert.deepEqual(received, [...sending.keys()]);
  });

  it('is told why a message was not sent', async (t) => {
    const { client, server, page, trace } = await ends(t);
    const unknown = await page.send(2, 'to server', 'x');
    assert.equal(unknown.status, 404);
    assert.match(String(unknown.body), /no open connection 2/);
    for (const query of [
      '',
      '?connection=1',
      '?connection=x&direction=to%20server',
      '?connection=1&direction=up',
    ]) {
      assert.equal((await page.ask(`/api/send${query}`, { method: 'POST', body: 'x' })).status, 400, query);
    }
    const long = await page.send(1, 'to server', Buffer.alloc(60_000_000));
    assert.equal(long.status, 422);
    assert.match(String(long.body), /EMSGSIZE|too long/);

    server.shutdown('receive');
    const pipe = await page.send(1, 'to server', 'x');
    assert.equal(pipe.status, 409);
    assert.match(String(pipe.body), /EPIPE/);
    client.close();
    server.close();
    await trace.prints('closed');
    assert.equal((await page.send(1, 'to server', 'x')).status, 404);
    // Only what was sent is shown.
    assert.doesNotMatch(trace.stdout, /sent by the page/);
  });

  it('gets an error for a message that still waits when the connection ends', async (t) => {
    const { client, server, page } = await ends(t, '--quiet');
    for (let more = -1; more !== 0; await new Promise((resolve) => setTimeout(resolve, 100))) {
      more = await fillSendQueue(client);
    }
    const answer = page.send(1, 'to server', 'never');
    await new Promise((resolve) => setTimeout(resolve, 100));
    server.close();
    assert.equal((await answer).status, 409);
  });

  it('gets the lengths of queues from the kernel', { skip: missing('ss') }, async (t) => {
    const { client, server, page } = await ends(t, '--quiet');
    const stream = await page.frames(t);
    for (let index = 0; index < 3; index++) await client.send(Buffer.alloc(100));
    await server.send(Buffer.alloc(50));
    const last = (frames: FrameStream) => frames.frames.filter(({ type }) => type === 'queues').at(-1);
    const shows = (...queues: object[]) =>
      stream.until(() => {
        const frame = last(stream);
        return frame?.type === 'queues' && JSON.stringify(frame.queues) === JSON.stringify(queues);
      });
    await shows({ connection: 1, client: 50, server: 300 });
    await text(client);
    await text(server);
    await shows({ connection: 1, client: 0, server: 200 });
    // What waits in front of trace counts, too.
    await text(server);
    await text(server);
    await shows({ connection: 1, client: 0, server: 0 });
    let sent = 0;
    for (let more = -1; more !== 0; await new Promise((resolve) => setTimeout(resolve, 100))) {
      more = await fillSendQueue(client);
      sent += more;
    }
    await stream.until(() => {
      const frame = last(stream);
      // They have 64 bytes each; trace holds one that it cannot send.
      return frame?.type === 'queues' && frame.queues[0]?.server === 64 * (sent - 1);
    });
  });
});

describe('trace --web', TIMEOUT, () => {
  it('prints one address on standard error, also with --quiet, and nothing else of it anywhere', async (t) => {
    for (const options of [[], ['--quiet'], ['--json'], ['--quiet', '--write', scratchPath('file')]]) {
      const { trace, page } = await inspected(t, scratchPath('between'), scratchPath(), ...options);
      const lines = trace.stderr.split('\n').filter((line) => line.includes(page.token));
      assert.deepEqual(lines, [
        `seqpacket: open http://127.0.0.1:${page.port}/#token=${page.token} in a browser`,
      ]);
      assert.equal((await page.ask('/', { token: undefined })).body.includes(page.token), false);
      assert.equal((await trace.interrupted()).code, 0);
      assert.equal(trace.stdout, '');
    }
  });

  it('takes a port, and reports one that is in use', async (t) => {
    const { page } = await inspected(t, scratchPath('between'), scratchPath());
    const args = ['trace', scratchPath('between'), scratchPath()];
    const second = await run(t, [...args, '--web', String(page.port)]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`cannot listen at 127.0.0.1:${page.port}: the port is in use`));
    assert.equal(second.stderr.split('\n').length, 2, 'one line');
    for (const port of ['x', '-1', '65536', '8080x']) {
      const { code, stderr } = await run(t, [...args, `--web=${port}`]);
      assert.equal(code, 2, port);
      assert.match(stderr, /A port number/);
    }
    const free = new Cli(t, [...args, '--web', '0']);
    await free.tells('in a browser\n');
    assert.equal((await new Page(free.stderr).ask('/api/frames', { method: 'POST' })).status, 405);
  });

  it('ends with --once after the page has got the last frames', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const acceptor = closing(t, listen(path));
    const { trace, page } = await inspected(t, between, path, '--once', '--json');
    const stream = await page.frames(t);
    const client = closing(t, await connect(between));
    const server = closing(t, await acceptor.accept());
    await client.send(Buffer.from('once'));
    await text(server);
    client.close();
    server.close();
    assert.equal((await trace.ended).code, 0);
    await stream.ended();
    const last = stream.frames.at(-1);
    assert.deepEqual([last?.type, last?.type === 'event' && last.event], ['event', 'closed']);
    assert.equal(parsed(trace.stdout).at(-1)?.['event'], 'closed');
  });

  it('ends when it is interrupted, even if a page does not read', async (t) => {
    const { client, server, page, trace } = await ends(t, '--quiet');
    const stream = await page.frames(t);
    await stream.all('connection', 1);
    stream.message.pause();
    for (let index = 0; index < 100; index++) {
      await client.send(Buffer.alloc(100_000));
      await text(server);
    }
    const start = performance.now();
    assert.equal((await trace.interrupted('SIGTERM')).code, 0);
    assert.ok(performance.now() - start < 10_000);
  });

  it('writes a recording to standard output at the same time', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const acceptor = closing(t, listen(path));
    const { trace, page } = await inspected(t, between, path, '--once', '--write', '-');
    trace.process.stdout.setEncoding('latin1');
    const client = closing(t, await connect(between));
    const server = closing(t, await acceptor.accept());
    await client.send(Buffer.from('recorded'));
    await text(server);
    client.close();
    server.close();
    const { code, stdout } = await trace.ended;
    assert.equal(code, 0);
    assert.ok(stdout.includes('recorded') && !stdout.includes(page.token));
    assert.equal(framesIn(Buffer.alloc(0)).length, 0);
  });
});
