/** `seqpacket connect` with services of all kinds: those that answer before the end of file, after it, and never. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Cli, run } from '../support/command.js';
import { Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const WITH_PYTHON = { timeout: 120_000, skip: missing('python3') };

/** A service in Python that serves one client, and says what it has seen. */
async function serving(t: TestContext, script: string, ...args: unknown[]): Promise<[string, Python]> {
  const path = scratchPath();
  const python = new Python(t, `sock = listen(args[0]).accept()[0]\n${script}`, path, ...args);
  assert.equal(await python.says(), 'listening');
  return [path, python];
}

const AT_ONCE = `
while data := sock.recv(1000): sock.send(data.upper())
`;

/** Answers after a time, unless the client has shut down sending before. */
const UNLESS_ENDED = `
import select
ended = select.poll()
ended.register(sock, select.POLLRDHUP)
data = sock.recv(1000)
if not ended.poll(args[1]): sock.send(data.upper())
sock.close()
`;

const AT_THE_END = `
messages = []
while data := sock.recv(1000): messages.append(data)
for data in sorted(messages): sock.send(data)
sock.close()
`;

const NEVER = `
messages = []
while data := sock.recv(1000): messages.append(data.decode())
sock.close()
say(messages)
`;

const NO_ANSWER =
  'seqpacket: no answer: the end of file was sent after 1 s without one (--no-shutdown: never, --shutdown: at once)\n';

describe('connect', WITH_PYTHON, () => {
  it('prints the answers of a service that keeps the connection open', async (t) => {
    const [path] = await serving(t, AT_ONCE);
    const outcome = await run(t, ['connect', '-m', 'status', '-m', 'more', path]);
    assert.deepEqual(outcome, { code: 0, stdout: 'STATUS\nMORE\n', stderr: '' });
  });

  for (const [way, args, input] of [
    ['--message', ['-m', 'status'], ''],
    ['its input', [], 'status\n'],
  ] as const) {
    it(`waits for the answer to ${way}, which the end of file would prevent`, async (t) => {
      const [path] = await serving(t, UNLESS_ENDED, 300);
      const outcome = await run(t, ['connect', ...args, path], input);
      assert.deepEqual(outcome, { code: 0, stdout: 'STATUS\n', stderr: '' });
    });

    it(`prints answers to ${way} that are sent only after the end of file`, async (t) => {
      const [path] = await serving(t, AT_THE_END);
      const outcome = await run(t, ['connect', ...args, path], input);
      assert.deepEqual(outcome, { code: 0, stdout: 'status\n', stderr: '' });
    });
  }

  it('waits for as many answers as messages', async (t) => {
    const script = `
for _ in range(3): assert sock.recv(1000)
import select
ended = select.poll()
ended.register(sock, select.POLLRDHUP)
for index in range(3):
    if ended.poll(200): break
    sock.send(b'%d' % index)
sock.close()
`;
    const [path] = await serving(t, script);
    const { stdout } = await run(t, ['connect', '-m', 'a', '-m', 'b', '-m', 'c', path]);
    assert.equal(stdout, '0\n1\n2\n');
  });

  it('does not wait for ever, and reports that there was no answer', async (t) => {
    const [path, python] = await serving(t, NEVER);
    const outcome = await run(t, ['connect', '-m', 'one', '-m', 'two', path]);
    assert.deepEqual(outcome, { code: 0, stdout: '', stderr: NO_ANSWER });
    assert.deepEqual(await python.says(), ['one', 'two']);
    const [slow] = await serving(t, UNLESS_ENDED, 5000);
    assert.deepEqual(await run(t, ['connect', '-m', 'status', slow]), outcome);
    const [shorter] = await serving(t, NEVER);
    const { stderr } = await run(t, ['connect', '-m', 'status', '--timeout', '1', shorter]);
    assert.equal(stderr, NO_ANSWER.replace('after 1 s', 'after 0.5 s'));
  });

  it('leaves time for answers after the end of file within --timeout', async (t) => {
    const [path] = await serving(t, AT_THE_END);
    const outcome = await run(t, ['connect', '-m', 'b', '-m', 'a', '--timeout', '0.9', path]);
    assert.deepEqual(outcome, { code: 0, stdout: 'a\nb\n', stderr: '' });
  });

  it('--shutdown sends the end of file at once', async (t) => {
    const [prevented] = await serving(t, UNLESS_ENDED, 5000);
    const nothing = await run(t, ['connect', '-m', 'status', '--shutdown', prevented]);
    assert.deepEqual(nothing, { code: 0, stdout: '', stderr: '' });
    const [path] = await serving(t, AT_THE_END);
    const { stdout } = await run(t, ['connect', '-m', 'b', '-m', 'a', '--shutdown', '--count', '2', path]);
    assert.equal(stdout, 'a\nb\n');
  });

  it('--no-shutdown waits longer, until the service closes', async (t) => {
    const [path] = await serving(t, UNLESS_ENDED, 1500);
    const outcome = await run(t, ['connect', '-m', 'status', '--no-shutdown', path]);
    assert.deepEqual(outcome, { code: 0, stdout: 'STATUS\n', stderr: '' });
    const [silent] = await serving(t, NEVER);
    const { code } = await run(t, ['connect', '-m', 'x', '--no-shutdown', '--timeout', '1.5', silent]);
    assert.equal(code, 124);
  });

  it('--count waits longer, and ends after so many answers', async (t) => {
    const [path] = await serving(t, UNLESS_ENDED, 1500);
    const outcome = await run(t, ['connect', '-m', 'status', '--count', '1', path]);
    assert.deepEqual(outcome, { code: 0, stdout: 'STATUS\n', stderr: '' });
    const [open] = await serving(t, AT_ONCE);
    const two = await run(t, ['connect', '-m', 'one', '-m', 'two', '-m', 'three', '--count', '2', open]);
    assert.deepEqual(two, { code: 0, stdout: 'ONE\nTWO\n', stderr: '' });
  });

  it('--count ends, although the input goes on, and does not reset the connection', async (t) => {
    const script = `
for index in range(20): sock.send(b'%d' % index)
say(sock.recv(1000).decode())
`;
    const [path, python] = await serving(t, script);
    const cli = new Cli(t, ['connect', '--count', '3', path]);
    assert.deepEqual(await cli.ended, { code: 0, stdout: '0\n1\n2\n', stderr: '' });
    // The end of file, not ECONNRESET.
    assert.equal(await python.says(), '');
    await python.finished();
  });

  it('--count ends after all messages were sent', async (t) => {
    // The service waits for room, unless its further answers are discarded.
    const script = `
sock.send(b'welcome')
count = 0
while sock.recv(1000):
    count += 1
    try: sock.send(bytes(10000))
    except BrokenPipeError: pass
say(count)
`;
    const [path, python] = await serving(t, script);
    const messages = Array.from({ length: 1000 }, (_, index) => ['-m', `message ${index}`.padEnd(300)]);
    const { code, stdout } = await run(t, ['connect', '--count', '1', ...messages.flat(), path]);
    assert.deepEqual([code, stdout], [0, 'welcome\n']);
    assert.equal(await python.says(), 1000);
  });

  it('--count fails if the service closes before', async (t) => {
    const [path] = await serving(t, 'sock.send(sock.recv(1000))');
    const outcome = await run(t, ['connect', '-m', 'one', '--count', '2', path]);
    assert.deepEqual(outcome, {
      code: 1,
      stdout: 'one\n',
      stderr: 'seqpacket: the peer has closed after 1 of 2 messages (--count)\n',
    });
  });
});
