/** The cookbook's programs run as they stand there, with the real other programs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext, test } from 'node:test';
import { connect, listen, pair, type SeqpacketSocket } from 'seqpacket';
import { startConmon } from '../support/conmon.js';
import { cookbook, descriptorsOf, Page, type Program, withGo, withPython } from '../support/documentation.js';
import { missing } from '../support/programs.js';

const pages = cookbook.map((document) => new Page(document));

function page(name: string): Page {
  return pages.find(({ document }) => document === `docs/cookbook/${name}.md`)!;
}

const TIMEOUT = { timeout: 60_000 };

describe('a privileged helper', TIMEOUT, () => {
  const recipe = page('privileged-helper');
  const vault = `${recipe.temporary}/vault`;
  const socketFile = recipe.here('/tmp/vault.socket');

  async function helper(t: TestContext, ...uids: number[]): Promise<Program> {
    mkdirSync(vault, { recursive: true, mode: 0o700 });
    writeFileSync(`${vault}/secret.txt`, 'under the oak', { mode: 0o600 });
    const program = recipe.start(t, 'helper.mjs', uids.map(String));
    await program.until(() => program.printed.startsWith('listening at '));
    return program;
  }

  async function ask(socket: SeqpacketSocket, question: string) {
    await socket.send(Buffer.from(question));
    const { data, fds } = await socket.receiveMessage({ maxFds: 1 });
    return { answer: JSON.parse(String(data)), fds };
  }

  it('opens only permitted files, for reading only', async (t) => {
    const program = await helper(t, process.getuid!());
    using socket = await connect(socketFile);
    const { answer, fds } = await ask(socket, 'secret');
    assert.deepEqual(answer, { name: 'secret' });
    using fd = fds[0]!;
    assert.equal(readFileSync(fd.fd, 'utf8'), 'under the oak');
    assert.throws(() => writeFileSync(fd.fd, 'x'), { code: 'EBADF' });
    for (const question of ['../../etc/shadow', '/etc/shadow', '__proto__', '{']) {
      assert.deepEqual(await ask(socket, question), {
        answer: { error: 'There is no such file for you' },
        fds: [],
      });
    }
    assert.equal(statSync(socketFile).mode & 0o777, 0o666);
    await program.stop();
    assert.match(program.printed, new RegExp(`user ${process.getuid!()}, process \\d+: "secret" opened\n`));
    assert.match(program.printed, /: "\/etc\/shadow" refused\n/);
    assert.equal(existsSync(socketFile), false);
  });

  it('receives nothing from refused clients', async (t) => {
    const program = await helper(t, process.getuid!() + 1);
    using socket = await connect(socketFile);
    await assert.rejects(ask(socket, 'secret'), /EOF|EPIPE|ECONNRESET/);
    assert.equal((await program.stop()).split('\n').length, 2, program.printed);
  });

  it('serves another user without access to the file', { skip: cannotBeSomebodyElse(recipe) }, async (t) => {
    const nobody = 65534;
    await helper(t, nobody);
    chmodSync(recipe.temporary, 0o711);
    assert.notEqual(spawnSync('cat', [`${vault}/secret.txt`], { uid: nobody, gid: nobody }).status, 0);
    const output = await recipe.run(t, 'client.mjs', ['secret'], { uid: nobody, gid: nobody });
    assert.equal(output, 'under the oak');
  });
});

describe('a reconnecting client', TIMEOUT, () => {
  const recipe = page('reconnecting');

  it('waits for its server, and finds the next one', async (t) => {
    recipe.uses('updates.mjs');
    const watch = recipe.start(t, 'watch.mjs');
    for (const end of ['SIGKILL', 'SIGTERM'] as const) {
      const server = recipe.start(t, 'server.mjs');
      await watch.until(() => watch.printed.includes(`wind 2 from ${server.child.pid}\n`));
      server.child.kill(end);
      await server.output.catch(() => undefined);
    }
    watch.child.kill('SIGINT');
    const lines = (await watch.output).trim().split('\n');
    assert.equal(new Set(lines).size, lines.length);
  });

  it('waits between attempts if the server refuses it', async (t) => {
    const acceptor = listen(recipe.here('/tmp/weather.socket'), { allow: {} });
    const accepted = acceptor.accept().catch(() => undefined);
    const watch = recipe.start(t, 'watch.mjs');
    while (acceptor.counters.refused === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(acceptor.counters.refused <= 20, `${acceptor.counters.refused} connections`);
    watch.child.kill('SIGINT');
    await watch.output;
    acceptor.close();
    await accepted;
  });
});

/** Another user must be there to be, and must be able to read the programs. */
function cannotBeSomebodyElse({ document }: Page): string | false {
  const other = { uid: 65534, gid: 65534 };
  if (process.getuid?.() !== 0) return `${document}: only root can start a process as another user`;
  const args = ['-e', "require('seqpacket')"];
  const { status } = spawnSync(process.execPath, args, { ...other, cwd: new URL('.', import.meta.url) });
  return status === 0 ? false : `${document}: another user cannot read this directory`;
}

describe('large data', TIMEOUT, () => {
  const recipe = page('large-data');

  it('a file without a name, from Node.js', { skip: !existsSync('/dev/shm') && 'no /dev/shm' }, async (t) => {
    const receiver = await recipe.serve(t, 'take-over.mjs', '/tmp/large.socket');
    assert.equal(await recipe.run(t, 'hand-over.mjs'), '50000000 bytes of text/plain\n');
    await receiver.output;
    assert.equal(receiver.said, '');
  });

  it('a memfd, from Python', withPython, async (t) => {
    const receiver = await recipe.serve(t, 'memfd.mjs', '/tmp/memfd.socket');
    await recipe.run(t, 'memfd.py');
    assert.equal(await receiver.output, 'picture 5000000\n');
  });
});

describe('attach to a container', { ...TIMEOUT, skip: missing('conmon') }, () => {
  const recipe = page('containers');

  it('input, output and error output, and the end', async (t) => {
    const workload = 'while read line; do echo "got $line"; echo "no $line" >&2; done; echo over';
    const attach = recipe.start(t, 'attach.mjs', [await startConmon(t, workload)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    attach.child.stdin?.write('one\n');
    await attach.until(() => attach.printed === 'got one\n' && attach.said === 'no one\n');
    const long = 'x'.repeat(20_000);
    attach.child.stdin?.end(`${long}\n`);
    assert.equal(await attach.output, `got one\ngot ${long}\nover\n`);
    assert.equal(attach.said, `no one\nno ${long}\n`);
  });

  it('ends when the container does', async (t) => {
    const attach = recipe.start(t, 'attach.mjs', [await startConmon(t, 'read line; echo bye')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    attach.child.stdin?.write('one\n');
    assert.equal(await attach.output, 'bye\n');
  });

  it('is some thirty lines', () => {
    const { text } = recipe.blocks.find(({ file }) => file === 'attach.mjs')!;
    assert.ok(text.trim().split('\n').length <= 36);
  });
});

describe('netcat', { ...TIMEOUT, skip: missing('nc.openbsd') }, () => {
  it('makes the connection', async (t) => {
    const server = createServer((_, response) => response.end('from the server')).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const output = await page('netcat').run(t, 'by-netcat.mjs', ['127.0.0.1', String(port)]);
    assert.match(output, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nfrom the server$/s);
  });
});

describe('JSON requests, answers by pipe', TIMEOUT, () => {
  const recipe = page('json-and-pipes');

  it('skopeo', { skip: missing('skopeo') }, async (t) => {
    makeImage(`${recipe.directory}/image`);
    const session = recipe.blocks.find(({ language }) => language === 'console')!;
    const [, command, expected] = /^\$ node image\.mjs (\S*)\n(.*)$/s.exec(session.text)!;
    assert.equal(await recipe.run(t, 'image.mjs', [command!]), expected);
    await assert.rejects(recipe.run(t, 'image.mjs', ['oci:nowhere']), /OpenImage: .*no such file/);
  });

  it('a pipe made in Node.js', async (t) => {
    assert.equal(await recipe.run(t, 'make-a-pipe.mjs'), 'what goes through\n');
  });
});

/** An image in the layout of the Open Container Initiative, of one layer with nothing in it. */
function makeImage(directory: string): void {
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  const blob = (mediaType: string, content: Buffer | object) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hash = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(`${directory}/blobs/sha256/${hash}`, bytes);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hash}`,
      size: bytes.length,
    };
  };
  const layer = blob('layer.v1.tar', Buffer.alloc(10_240));
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = blob('config.v1+json', { architecture: 'amd64', os: 'linux', config: {}, rootfs });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = blob('manifest.v1+json', { schemaVersion: 2, mediaType, config, layers: [layer] });
  writeFileSync(`${directory}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
}

describe('requests with ids', TIMEOUT, () => {
  const recipe = page('requests');
  const silent = AbortSignal.timeout(60_000);

  it('by JSON-RPC: timeouts, cancelling, callbacks, progress, descriptors', async (t) => {
    recipe.uses('transport.mjs');
    const server = await recipe.serve(t, 'server.mjs', '/tmp/requests.socket');
    const before = descriptorsOf(server);
    const output = await recipe.run(t, 'client.mjs');
    assert.equal(output, '3\nHello Ada\nTimeoutError\ntrue\nhostname true\n');
    await server.until(() => /^cancelled at \d+\n$/.test(server.printed));
    await server.until(() => descriptorsOf(server) <= before);
    // The client may close before it has read the answer to the request that it has cancelled.
    assert.match(server.said, /^(recvmsg ECONNRESET.*\n)?$/);
  });

  it('by JSON-RPC: an invalid message ends its own connection only, and leaks no descriptor', async (t) => {
    const server = await recipe.serve(t, 'server.mjs', '/tmp/requests.socket');
    const before = descriptorsOf(server);
    const file = openSync('/etc/hostname', 'r');
    t.after(() => closeSync(file));
    for (const text of ['no JSON', '{"$fd":1}', '{"$fd":"length"}']) {
      using socket = await connect(recipe.here('/tmp/requests.socket'));
      await socket.sendWithFds(Buffer.from(text), [file]);
      await assert.rejects(socket.receiveMessage({ signal: silent }), { code: 'EOF' });
    }
    await server.until(() => descriptorsOf(server) <= before);
    await server.until(() => server.said.split('\n').length === 4);
    assert.match(await recipe.run(t, 'client.mjs'), /^3\n/);
  });

  it('by JSON-RPC: requests that wait are rejected when the server is killed', async (t) => {
    const { jsonRpc } = await import(recipe.uses('transport.mjs'));
    const server = await recipe.serve(t, 'server.mjs', '/tmp/requests.socket');
    const connection = jsonRpc(await connect(recipe.here('/tmp/requests.socket')));
    connection.listen();
    const request = connection.sendRequest('count', { to: 1_000_000 });
    const notified = new Promise((resolve) => connection.onNotification('progress', resolve));
    await notified;
    server.child.kill('SIGKILL');
    await assert.rejects(request, /disposed/);
  });

  it('by hand: timeouts, cancelling, callbacks', async (t) => {
    recipe.uses('peer.mjs');
    const server = await recipe.serve(t, 'peer-server.mjs', '/tmp/peers.socket');
    const before = descriptorsOf(server);
    const output = await recipe.run(t, 'peer-client.mjs');
    assert.equal(output, 'Hello Ada\n3\nTimeoutError\nNo method nothing\nECANCELED\n');
    await server.until(() => descriptorsOf(server) <= before);
    assert.equal(server.said, '');
  });

  it('by hand: a late answer is no answer to another request', async (t) => {
    const { createPeer } = await import(recipe.uses('peer.mjs'));
    const [left, right] = pair();
    t.after(() => left.close());
    const peer = createPeer(right);
    const end = peer.run();
    const late = peer.call('first', [], AbortSignal.timeout(20));
    await assert.rejects(late, { name: 'TimeoutError' });
    const next = peer.call('second', []);
    const received: { id?: number; method?: string; cancel?: number }[] = [];
    while (received.length < 3) received.push(JSON.parse(String((await left.receiveMessage()).data)));
    const [first, cancel, second] = received;
    assert.equal(cancel?.cancel, first?.id);
    await left.send(Buffer.from(JSON.stringify({ id: first?.id, result: 'late' })));
    await left.send(Buffer.from(JSON.stringify({ id: second?.id, result: 'in time' })));
    assert.equal(await next, 'in time');
    const lost = peer.call('third', []);
    left.close();
    await assert.rejects(lost, /The connection is closed/);
    await assert.rejects(end, { code: 'ECONNRESET' });
  });

  it('by hand: the peer is about fifty lines', () => {
    const { text } = recipe.blocks.find(({ file }) => file === 'peer.mjs')!;
    assert.ok(text.split('\n').filter(Boolean).length <= 60);
  });
});

describe('a synchronous parser', { ...TIMEOUT, ...withPython }, () => {
  const recipe = page('synchronous-parser');

  it('lints files of any length, and files that cannot be parsed', async (t) => {
    for (const file of ['parser.mjs', 'parser.py', 'sample.py']) recipe.uses(file);
    const long = `${recipe.temporary}/long.py`;
    writeFileSync(
      long,
      `${Array.from({ length: 20_000 }, (_, i) => `x${i} = 'é'\n`).join('')}def f(): pass\n`,
    );
    const wrong = `${recipe.temporary}/wrong.py`;
    writeFileSync(wrong, 'x = 1\ndef f(:\n');
    const output = await recipe.run(t, 'lint.mjs', ['sample.py', long, wrong, 'sample.py']);
    const [first, second, third, fourth] = output.split('\n');
    assert.equal(first, 'sample.py:7: area has no docstring');
    assert.equal(second, `${long}:20001: f has no docstring`);
    assert.match(third ?? '', /wrong\.py:2: /);
    assert.equal(fourth, first);
  });

  it('a parser that fails is replaced at the next call', async () => {
    const { parse, stop } = await import(recipe.uses('parser.mjs'));
    assert.equal(parse('x').type, 'Module');
    stop();
    const { text } = recipe.blocks.find(({ file }) => file === 'parser.py')!;
    writeFileSync(recipe.uses('parser.py'), 'raise SystemExit(0)');
    assert.throws(() => parse('x'), /The parser has failed/);
    writeFileSync(recipe.uses('parser.py'), recipe.here(text));
    assert.equal(parse('y = 1').body[0].type, 'Assign');
    stop();
  });
});

test('a peer in Python', { ...TIMEOUT, ...withPython }, async (t) => {
  const recipe = page('python');
  const peer = await recipe.serve(t, 'peer.py', '/tmp/upper-py.socket');
  const file = `${recipe.temporary}/file`;
  writeFileSync(file, 'the first line\nthe second\n');
  assert.equal(await recipe.run(t, 'client.mjs', [file]), 'a file in capitals\nTHE FIRST LINE\n');
  await peer.output;
});

test('a peer in Go', { ...TIMEOUT, ...withGo }, async (t) => {
  const recipe = page('go');
  const server = await recipe.serve(t, 'server.mjs', '/tmp/sizes.socket');
  const files = ['one', 'two'].map((name, index) => {
    writeFileSync(`${recipe.temporary}/${name}`, 'x'.repeat(1000 * (index + 1)));
    return `${recipe.temporary}/${name}`;
  });
  const output = await recipe.run(t, 'client.go', files);
  assert.equal(output, `${files[0]} has 1000 bytes\n${files[1]} has 2000 bytes\n`);
  await server.output;
});

const lacking = ['python3', 'go', 'conmon', 'nc.openbsd', 'skopeo'].map(missing).find(Boolean) ?? false;

test('every program of the cookbook was run', { skip: lacking }, () => {
  const left = pages.flatMap(({ document, notRun }) => notRun.map((file) => `${document}: ${file}`));
  assert.deepEqual(left, []);
});
