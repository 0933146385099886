/** The command on a terminal: prompts, colours, and nothing that a peer could make the terminal do. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { listen } from 'seqpacket';
import { COMMAND, run } from '../support/command.js';
import { closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';

const OPTIONS = { timeout: 60_000, skip: missing('python3') };

/** Runs a program on a terminal: types what it hears, says what is shown, and the exit code at the end. */
const TERMINAL = `
import codecs, pty, select
decode = codecs.getincrementaldecoder('utf-8')().decode
pid, terminal = pty.fork()
if pid == 0:
    environment = {**os.environ, **args[1]}
    environment.pop('CI', None)  # Node.js takes a terminal there for one without colours
    environment.pop('NO_COLOR', None) if 'NO_COLOR' not in args[1] else None
    os.execve(args[0][0], args[0], environment)
while True:
    ready, _, _ = select.select([terminal, sys.stdin], [], [])
    if sys.stdin in ready:
        os.write(terminal, hear().encode())
    if terminal in ready:
        try: shown = os.read(terminal, 65536)
        except OSError: break
        if not shown: break
        say(decode(shown))
say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

class Terminal {
  shown = '';
  readonly #python: Python;

  constructor(t: TestContext, args: string[], environment: Record<string, string> = {}) {
    const env = { TERM: 'xterm-256color', ...environment };
    this.#python = new Python(t, TERMINAL, [process.execPath, COMMAND, ...args], env);
  }

  type(keys: string): void {
    this.#python.tell(keys);
  }

  async shows(text: string): Promise<void> {
    while (!this.shown.includes(text)) {
      const more = await this.#python.says();
      if (typeof more === 'number')
        assert.fail(`exit code ${more} without ${JSON.stringify(text)}: ${this.shown}`);
      this.shown += more;
    }
  }

  async ended(): Promise<number> {
    for (;;) {
      const more = await this.#python.says();
      if (typeof more === 'number') return more;
      this.shown += more;
    }
  }
}

describe('on a terminal', OPTIONS, () => {
  it('connect prompts, and prints messages between the prompts', async (t) => {
    const path = scratchPath();
    const acceptor = closing(t, listen(path));
    const terminal = new Terminal(t, ['connect', path]);
    const socket = closing(t, await acceptor.accept());
    await terminal.shows('> ');
    terminal.type('hello\r');
    assert.equal(String((await socket.receiveMessage()).data), 'hello');
    terminal.type('half a li');
    await terminal.shows('half a li');
    await socket.send(Buffer.from('\x1b[2Jobey\x07'));
    await terminal.shows('\\x1b[2Jobey\\x07');
    assert.equal(terminal.shown.includes('\x1b[2J'), false);
    terminal.type('ne\r');
    assert.equal(String((await socket.receiveMessage()).data), 'half a line');
    terminal.type('\x04');
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    await socket.send(Buffer.from('the last word'));
    socket.close();
    assert.equal(await terminal.ended(), 0);
    assert.match(terminal.shown, /the last word/);
  });

  it('Ctrl-C ends it, and the peer receives the end of file', async (t) => {
    const path = scratchPath();
    const acceptor = closing(t, listen(path));
    const terminal = new Terminal(t, ['connect', path]);
    const socket = closing(t, await acceptor.accept());
    await terminal.shows('> ');
    terminal.type('\x03');
    await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
    assert.equal(await terminal.ended(), 130);
  });

  it('output has colours, unless NO_COLOR is set', async (t) => {
    closing(t, listen(scratchPath()));
    const colourful = new Terminal(t, ['ls']);
    assert.equal(await colourful.ended(), 0);
    assert.ok(colourful.shown.includes('\x1b[1mSTATE'));
    const plain = new Terminal(t, ['ls'], { NO_COLOR: '1' });
    assert.equal(await plain.ended(), 0);
    // Processes of others that end meanwhile are told of in front of it.
    assert.match(plain.shown, /^STATE/m);
    assert.equal(plain.shown.includes('\x1b'), false);
    assert.equal((await run(t, ['ls'])).stdout.includes('\x1b'), false);
  });

  it('a recording is not written to it', async (t) => {
    const terminal = new Terminal(t, ['trace', '--write', '-', scratchPath(), '/nonexistent']);
    assert.equal(await terminal.ended(), 2);
    assert.match(terminal.shown, /a recording cannot be written to a terminal/);
  });
});
