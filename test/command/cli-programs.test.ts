/** The command with programs of other projects, also with a `trace` in between. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Cli, listening, parsed, run, tracing } from '../support/command.js';
import { startConmon } from '../support/conmon.js';
import { abstractName, Peer, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { exists, scratchPath } from '../support/scratch.js';

const TIMEOUT = 30_000;

/** Where to connect instead of the address, and what trace has shown when all is over. */
interface Way {
  title: string;
  to(t: TestContext, address: string): Promise<string>;
}

const traces = new WeakMap<TestContext, Cli>();

const WAYS: Way[] = [
  { title: 'directly', to: async (_, address) => address },
  {
    title: 'through trace',
    async to(t, address) {
      const between = scratchPath('between');
      traces.set(t, await tracing(t, between, address, '--json'));
      return between;
    },
  },
];

/** What a trace, if there was one, has seen. */
async function seen(t: TestContext): Promise<Record<string, unknown>[] | undefined> {
  const trace = traces.get(t);
  if (trace === undefined) return undefined;
  await trace.prints('"closed"');
  const { code, stdout } = await trace.interrupted();
  assert.equal(code, 0, trace.stderr);
  const events = parsed(stdout);
  for (const event of ['error', 'not delivered']) {
    assert.equal(events.filter((each) => each['event'] === event).length, 0, stdout);
  }
  return events.filter(({ event }) => event === 'message');
}

const LINES = ['one', 'two', 'x'.repeat(4000), 'four'];
const INPUT = LINES.map((line) => `${line}\n`).join('');

for (const { title, to } of WAYS) {
  describe(`${title}:`, () => {
    it('socat as the service', { skip: missing('socat'), timeout: TIMEOUT }, async (t) => {
      const path = scratchPath();
      const socat = new Peer(t, 'socat', ['-dd', `UNIX-LISTEN:${path},type=5,fork`, 'EXEC:/bin/cat,nofork']);
      await socat.reports(' listening on ');
      const { code, stdout } = await run(t, ['connect', await to(t, path)], INPUT);
      assert.equal(stdout, INPUT);
      assert.equal(code, 0);
      const messages = await seen(t);
      if (messages === undefined) return;
      const sizes = LINES.map((line) => line.length);
      assert.deepEqual(
        messages.filter(({ direction }) => direction === 'to server').map(({ size }) => size),
        sizes,
      );
      assert.deepEqual(
        messages.filter(({ direction }) => direction === 'to client').map(({ size }) => size),
        sizes,
      );
    });

    it('socat as the client, at an abstract name', {
      skip: missing('socat'),
      timeout: TIMEOUT,
    }, async (t) => {
      const name = `@${abstractName().slice(1)}`;
      const service = await listening(t, [name, '--exec', 'exec cat', '--exec-as', 'stdio']);
      const address = await to(t, name);
      const target = address.startsWith('@')
        ? `ABSTRACT-CONNECT:${address.slice(1)}`
        : `UNIX-CONNECT:${address}`;
      const socat = new Peer(t, 'socat', ['-t', '10', '-', `${target},type=5`]);
      let heard = '';
      socat.process.stdout.setEncoding('utf8').on('data', (text: string) => {
        heard += text;
      });
      socat.process.stdin.end('what socat says');
      await socat.finished();
      assert.equal(heard, 'what socat says');
      assert.equal((await service.ended).code, 0);
      await seen(t);
    });

    it('python3, with descriptors in both directions', {
      skip: missing('python3'),
      timeout: TIMEOUT,
    }, async (t) => {
      const path = scratchPath();
      const script = `
        sock = listen(args[0]).accept()[0]
        data, fds, _, _ = socket.recv_fds(sock, 1000, 10)
        text = os.pread(fds[0], 1000, 0)
        with open(args[1], 'wb') as file: file.write(text.upper())
        answer = os.open(args[1], os.O_RDONLY)
        socket.send_fds(sock, [data + b' back'], [answer, fds[0]])
        assert sock.recv(1000) == b''
      `;
      const file = scratchPath('file');
      writeFileSync(file, 'what is written there\n');
      const python = new Python(t, script, path, scratchPath('answer'));
      await python.says();
      const args = ['connect', await to(t, path), '-m', 'there and', '--fd', file, '--print-fds'];
      const { code, stdout, stderr } = await run(t, args);
      assert.equal(stdout, 'there and back\nWHAT IS WRITTEN THERE\nwhat is written there\n', stderr);
      assert.equal(code, 0);
      assert.ok(stderr.includes(`received descriptor 1: file ${file} (read-only, 22 bytes)`));
      await python.finished();
      const messages = await seen(t);
      if (messages === undefined) return;
      assert.deepEqual(
        messages.map(({ fds }) => (fds as { kind: string }[]).map(({ kind }) => kind)),
        [['file'], ['file', 'file']],
      );
    });

    it('systemd-socket-activate, with cat as the service', {
      skip: missing('systemd-socket-activate'),
      timeout: TIMEOUT,
    }, async (t) => {
      const path = scratchPath();
      const args = ['--seqpacket', '-l', path, '-a', '--inetd', '/bin/cat'];
      const systemd = new Peer(t, 'systemd-socket-activate', args);
      await systemd.reports('Listening on');
      const { code, stdout } = await run(t, ['connect', await to(t, path)], INPUT);
      assert.equal(stdout, INPUT);
      assert.equal(code, 0);
      await seen(t);
    });

    it("conmon's attach socket", { skip: missing('conmon'), timeout: TIMEOUT }, async (t) => {
      const attach = await startConmon(t);
      const address = await to(t, attach);
      // The workload reads lines.
      const cli = new Cli(t, ['connect', '--keep-delimiter', address]);
      cli.type('hello');
      await cli.prints('got hello');
      cli.type('again');
      await cli.prints('got again');
      const { stdout } = await cli.done();
      // conmon puts the number of the stream in front of what it sends.
      assert.equal(stdout, '\x02got hello\n\x02got again\n\x02over\n');
      await seen(t);
    });

    it('nc.openbsd, which sends the descriptor of a connection', {
      skip: missing('nc.openbsd'),
      timeout: TIMEOUT,
    }, async (t) => {
      const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const path = scratchPath();
      const netcat = `exec nc.openbsd -F 127.0.0.1 ${port}`;
      const service = await listening(t, [path, '--exec', netcat, '--exec-as', 'stdio']);
      const { code, stdout } = await run(t, ['connect', await to(t, path), '--json']);
      assert.equal(code, 0);
      const message = parsed(stdout).find(({ event }) => event === 'message')!;
      assert.equal(message['size'], 1);
      const [descriptor] = message['fds'] as { kind: string; target: string }[];
      assert.equal(descriptor?.kind, 'socket');
      assert.match(descriptor!.target, new RegExp(`^TCP 127\\.0\\.0\\.1:\\d+ - 127\\.0\\.0\\.1:${port}$`));
      await service.ended;
    });

    it('emacs as the service', { skip: missing('emacs'), timeout: TIMEOUT }, async (t) => {
      const path = scratchPath();
      const program = `
        (progn
          (make-network-process :name "service" :server t :family 'local :type 'seqpacket :service "${path}"
            :coding 'no-conversion :filter (lambda (client text) (process-send-string client (upcase text))))
          (while t (accept-process-output nil 1)))`;
      new Peer(t, 'emacs', ['-Q', '--batch', '--eval', program]);
      await exists(path);
      const { code, stdout } = await run(t, ['connect', await to(t, path)], 'one\ntwo\n');
      assert.equal(stdout, 'ONE\nTWO\n');
      assert.equal(code, 0);
      await seen(t);
    });

    it('emacs as the client', { skip: missing('emacs'), timeout: TIMEOUT }, async (t) => {
      const path = scratchPath();
      const service = await listening(t, [path, '--json']);
      const program = `
        (let ((service (make-network-process :name "client" :family 'local :type 'seqpacket
                         :service "${await to(t, path)}" :filter (lambda (_ text) (princ text)))))
          (process-send-string service "hello")
          (accept-process-output service 10)
          (delete-process service))`;
      const emacs = new Peer(t, 'emacs', ['-Q', '--batch', '--eval', program]);
      await service.prints('hello');
      service.type('"welcome"');
      assert.equal(String(await once(emacs.process.stdout, 'data')), 'welcome');
      await emacs.finished();
      await service.done();
      await seen(t);
    });
  });
}
