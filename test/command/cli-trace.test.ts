/** `seqpacket trace`: all traffic is forwarded unchanged, and shown. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { type Cli, parsed, run, tracing } from '../support/command.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';
import { fillSendQueue } from '../support/sockets.js';

const TIMEOUT = { timeout: 60_000 };
const ALL_FDS = { maxFds: 253 };

/** A client and a service, with a trace in between. */
async function traced(
  t: TestContext,
  ...options: string[]
): Promise<{ client: SeqpacketSocket; server: SeqpacketSocket; trace: Cli }> {
  const path = scratchPath();
  const between = scratchPath('between');
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  const trace = await tracing(t, between, path, ...options);
  const client = closing(t, await connect(between, { emptyMessages: 'deliver' }));
  const server = closing(t, await acceptor.accept());
  return { client, server, trace };
}

/** In both directions. */
const BOTH = [
  ['from the client to the service', ({ client, server }: Ends) => [client, server] as const],
  ['from the service to the client', ({ client, server }: Ends) => [server, client] as const],
] as const;

interface Ends {
  client: SeqpacketSocket;
  server: SeqpacketSocket;
}

describe('trace', TIMEOUT, () => {
  for (const [title, ends] of BOTH) {
    it(`forwards messages of any length, empty ones and descriptors, ${title}`, async (t) => {
      const [from, to] = ends(await traced(t));
      const sizes = [1, 0, 60_000, 0, 4096, 200_000, 0];
      const sending = (async () => {
        for (const [index, size] of sizes.entries()) {
          // One of the empty ones has descriptors, too.
          const fds = index % 3 === 0 ? Array.from({ length: index === 6 ? 253 : 2 }, () => 0) : [];
          await from.sendWithFds(Buffer.alloc(size, index), fds);
        }
        from.shutdown('send');
      })();
      const { ino, dev } = fstatSync(0);
      for (const [index, size] of sizes.entries()) {
        const { data, fds, controlTruncated } = await to.receiveMessage(ALL_FDS);
        assert.ok(data.equals(Buffer.alloc(size, index)), `message ${index}`);
        assert.equal(fds.length, index === 6 ? 253 : index % 3 === 0 ? 2 : 0);
        assert.equal(controlTruncated, false);
        for (const fd of fds) {
          assert.deepEqual([fstatSync(fd.fd).ino, fstatSync(fd.fd).dev], [ino, dev]);
          fd.close();
        }
      }
      await assert.rejects(to.receiveMessage(), { code: 'EOF' });
      await sending;
      // Half-closed only.
      await to.send(Buffer.from('the other direction is open'));
      assert.equal(String((await from.receiveMessage()).data), 'the other direction is open');
    });

    it(`makes a sender wait for a receiver that does not receive, ${title}`, async (t) => {
      const both = await traced(t, '--bytes', '0');
      const [from, to] = ends(both);
      let sent = 0;
      // Until trace, too, has nowhere to put them.
      for (let more = -1; more !== 0; await new Promise((resolve) => setTimeout(resolve, 100))) {
        more = await fillSendQueue(from);
        sent += more;
      }
      assert.ok(sent < 2000, `${sent} messages went somewhere`);
      from.shutdown('send');
      let received = 0;
      for await (const _ of to) received++;
      assert.equal(received, sent);
    });

    it(`forwards the end of receiving to a sender, ${title}`, async (t) => {
      const [from, to] = ends(await traced(t));
      to.shutdown('receive');
      const sending = (async () => {
        for (;;) await from.send(Buffer.from('x'));
      })();
      await assert.rejects(sending, { code: 'EPIPE' });
    });

    it(`passes on that a peer closed without reading everything, ${title}`, async (t) => {
      const { trace, ...both } = await traced(t, '--json');
      const [from, to] = ends(both);
      await to.send(Buffer.from('never read'));
      await from.send(Buffer.from('read'));
      while (from.ioControl('bytesReadable') === 0) await new Promise(setImmediate);
      from.close();
      assert.equal(String((await to.receiveMessage()).data), 'read');
      await assert.rejects(to.receiveMessage(), /EOF|ECONNRESET/);
      await trace.prints('"closed"');
      assert.match(trace.stdout, /connection reset/);
    });
  }

  it('shows messages with time, direction, size, descriptors, credentials and a dump', async (t) => {
    const { client, server, trace } = await traced(t, '--bytes', '20');
    const fd = openSync('/etc/passwd', 'r');
    t.after(() => closeSync(fd));
    await client.sendWithFds(Buffer.from('hello\x00\x1b[2J, this is longer than twenty'), [fd]);
    for (const fd of (await server.receiveMessage(ALL_FDS)).fds) fd.close();
    await server.send(Buffer.from('hi'));
    await client.receiveMessage();
    client.close();
    server.close();
    await trace.prints('closed');
    const time = String.raw`\d\d:\d\d:\d\d\.\d{6}`;
    const me = `pid ${process.pid}[, ]+uid ${process.getuid?.()}`;
    const passwd = readFileSync('/etc/passwd').length;
    for (const line of [
      `${time} #1 open: client ${me}; server ${me} at .*`,
      `${time} #1 -> 38 bytes, 1 descriptor, ${me} gid \\d+`,
      `    fd 0: file /etc/passwd \\(read-only, ${passwd} bytes\\)`,
      '    0000  68 65 6c 6c 6f 00 1b 5b  32 4a 2c 20 74 68 69 73  hello..\\[2J, this',
      '    0010  20 69 73 20                                        is ',
      '    … 18 more bytes \\(--bytes\\)',
      `${time} #1 <- 2 bytes`,
      '    0000  68 69                                             hi',
      `${time} #1 -> end of file`,
      `${time} #1 <- end of file`,
      `${time} #1 closed`,
    ]) {
      assert.match(trace.stdout, new RegExp(`^${line}$`, 'm'));
    }
  });

  it('--text: shows lines, and JSON as it was sent, laid out', async (t) => {
    const { client, server, trace } = await traced(t, '--text');
    const long = `{"id":12345678901234567890, "id":1e2, "text":"${'x'.repeat(90)} \\"{\\u00e4",\n"list":[1,[],{}, {"a":null}]}`;
    const contents: [string | Buffer, string[]][] = [
      ['one\n\n\ttwo\x1b[2J ä\n', ['one', '', '\ttwo\\x1b[2J ä\\x0a']],
      ['{"id":12345678901234567890,"list":[1,2]}', ['{"id": 12345678901234567890, "list": [1, 2]}']],
      [
        long,
        [
          '{',
          '  "id": 12345678901234567890,',
          '  "id": 1e2,',
          `  "text": "${'x'.repeat(90)} \\"{\\u00e4",`,
          '  "list": [1, [], {}, {"a": null}]',
          '}',
        ],
      ],
      [`${'['.repeat(5000)}${']'.repeat(5000)}`, [`${'['.repeat(5000)}${']'.repeat(5000)}`]],
      ['{"not": JSON}', ['{"not": JSON}']],
      [Buffer.from('a café', 'latin1'), ['a caf\\xe9']],
      [Buffer.from([0, 0, 0, 5, 255]), ['0000  00 00 00 05 ff                                    .....']],
      ['', []],
    ];
    for (const [content] of contents) {
      await client.send(Buffer.from(content as string));
      await server.receiveMessage();
    }
    client.close();
    server.close();
    await trace.prints('closed');
    const shown = trace.stdout.split(/^\S+ #1 .*\n/m).slice(2, 2 + contents.length);
    assert.deepEqual(
      shown,
      contents.map(([, lines]) => lines.map((line) => `    ${line}\n`).join('')),
    );
  });

  it('--text --bytes: shows the start of contents, and no part of a character', async (t) => {
    const { client, server, trace } = await traced(t, '--text', '--bytes', '4');
    for (const text of ['größer', '{"a":1}', 'gr\nöß']) {
      await client.send(Buffer.from(text));
      await server.receiveMessage();
    }
    client.close();
    server.close();
    await trace.prints('closed');
    const shown = trace.stdout.split('\n').filter((line) => line.startsWith('    '));
    assert.deepEqual(shown, [
      '    grö',
      '    … 4 more bytes (--bytes)',
      '    {"a"',
      '    … 3 more bytes (--bytes)',
      '    gr',
      '    … 4 more bytes (--bytes)',
    ]);
  });

  it('shows them as JSON', async (t) => {
    const { client, server, trace } = await traced(t, '--json');
    await client.send(Buffer.from('ä'));
    await server.receiveMessage();
    await server.send(Buffer.from([255]));
    client.close();
    server.close();
    await trace.prints('"closed"');
    const events = parsed(trace.stdout);
    assert.equal(events[0]?.['event'], 'open');
    const messages = events.filter(({ event }) => event === 'message');
    const there = messages.find(({ direction }) => direction === 'to server');
    const { pid } = there!['credentials'] as { pid: number };
    assert.deepEqual(
      [there?.['data'], there?.['size'], there?.['connection'], pid],
      ['ä', 2, 1, process.pid],
    );
  });

  it('serves many clients at once, and continues without a service', async (t) => {
    const path = scratchPath();
    const between = scratchPath('between');
    const trace = await tracing(t, between, path);
    const early = closing(t, await connect(between));
    await assert.rejects(early.receiveMessage(), { code: 'EOF' });
    await trace.tells(`#1 cannot connect to ${path}: no such socket`);
    const acceptor = closing(t, listen(path));
    for (let index = 0; index < 12; index++) {
      const client = closing(t, await connect(between));
      const server = closing(t, await acceptor.accept());
      await client.send(Buffer.from(`${index}`));
      assert.equal(String((await server.receiveMessage()).data), `${index}`);
    }
    const { code, stderr } = await trace.interrupted('SIGTERM');
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Warning/);
    assert.equal(existsSync(between), false);
  });

  it('leaves no descriptor open in itself', async (t) => {
    const { client, server, trace } = await traced(t, '--json');
    const count = () => readdirSync(`/proc/${trace.process.pid}/fd`).length;
    const pass = async () => {
      await client.sendWithFds(Buffer.from('x'), [0, 1, 2]);
      for (const fd of (await server.receiveMessage(ALL_FDS)).fds) fd.close();
    };
    // Node.js opens some descriptors when they are needed first, or for a moment.
    await pass();
    let before = count();
    for (let same = 0; same < 10; same++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (count() === before) continue;
      before = count();
      same = 0;
    }
    for (let index = 0; index < 20; index++) await pass();
    // It closes its own after it has sent them.
    while (count() > before) await new Promise((resolve) => setTimeout(resolve, 10));
    client.close();
    server.close();
    await trace.prints('"closed"');
    while (count() > before - 2) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  it('refuses the same address on both sides', async (t) => {
    const { code, stderr } = await run(t, ['trace', '@same', '@same']);
    assert.equal(code, 2);
    assert.match(stderr, /trace needs two different addresses/);
    const other = await run(t, ['trace', './x', 'x']);
    assert.match(other.stderr, /trace needs two different addresses/);
  });
});
