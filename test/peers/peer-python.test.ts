/** Python's socket module in another process, as server and as client. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FileDescriptor, type PeerCredentials, SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';
import { listeningAt, receiveText } from '../support/sockets.js';

const OPTIONS = { skip: missing('python3'), timeout: 20_000 };
const AS_ROOT = {
  ...OPTIONS,
  skip: OPTIONS.skip || (process.getuid?.() !== 0 && 'only root may choose its groups'),
};

/** Neither sorted nor all powers of two. */
const SIZES = [1, 60_000, 2, 4096, 4095, 255, 61_440, 4097, 8192, 1, 16_384, 7, 32_769, 300];
const MESSAGES = SIZES.map((size, index) => Buffer.alloc(size, `${index}: ${size} bytes; `));

/** What Linux lets one message carry at most. */
const MOST_FDS = 253;

/** An abstract name has room for 107 bytes after its NUL. */
const LONGEST_NAME = 108;

const CREDENTIALS = `
peer = meet()
say(dict(pid=os.getpid(), uid=os.getuid(), gid=os.getgid(), groups=os.getgroups()))
say(struct.unpack('3i', peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
hear()
`;

const AS_ANOTHER_USER = `
os.setgroups(args[2])
os.setgid(4)
os.setuid(5)
`;

type Role = 'server' | 'client';

interface Met {
  python: Python;
  socket: SeqpacketSocket;
}

/** Runs a script until it has met us, with its `meet()`; the role is Python's. */
function meet(t: TestContext, role: Role, script: string): Promise<Met> {
  return meetAt(scratchPath(), t, role, script);
}

/** @param args JSON values: what the script has as `args[2:]` */
async function meetAt(
  path: string,
  t: TestContext,
  role: Role,
  script: string,
  ...args: unknown[]
): Promise<Met> {
  const acceptor = role === 'client' ? closing(t, listeningAt(path)) : undefined;
  const python = new Python(t, script, role, path, ...args);
  await python.says();
  const socket = acceptor ? closing(t, await acceptor.accept()) : await connected(t, path);
  return { python, socket };
}

async function connected(t: TestContext, path: string): Promise<SeqpacketSocket> {
  const socket = closing(t, new SeqpacketSocket());
  await socket.connect(path);
  return socket;
}

/** The next message; nothing here is longer than 64 KB. */
async function receive(socket: SeqpacketSocket): Promise<Buffer> {
  const buffer = Buffer.alloc(65_536);
  return buffer.subarray(0, await socket.receive(buffer));
}

function assertEndOfFile(socket: SeqpacketSocket): Promise<void> {
  return assert.rejects(receive(socket), { code: 'EOF' });
}

/** What is in a pipe, which must not be empty. */
function readPipe({ fd }: { readonly fd: number }): string {
  const buffer = Buffer.alloc(100);
  return buffer.toString('utf8', 0, readSync(fd, buffer));
}

function closeAll(fds: readonly FileDescriptor[]): void {
  for (const fd of fds) fd.close();
}

const ROLES: readonly Role[] = ['server', 'client'];
for (const role of ROLES) {
  describe(`with Python as the ${role}`, () => {
    it('messages of 1 byte to 60 KB arrive one by one, whole and in order, both ways', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        sizes = []
        while message := peer.recv(65536):
            sizes.append(len(message))
            peer.send(message)
        say(sizes)
      `;
      const { python, socket } = await meet(t, role, script);
      const [echoes, sent] = await Promise.all([
        Promise.all(MESSAGES.map(() => receive(socket))),
        Promise.all(MESSAGES.map((message) => socket.send(message))),
      ]);
      assert.deepEqual(sent, SIZES);
      assert.deepEqual(
        echoes.map((echo) => echo.length),
        SIZES,
      );
      assert.deepEqual(echoes, MESSAGES);
      socket.shutdown('send');
      assert.deepEqual(await python.says(), SIZES);
      await assertEndOfFile(socket);
      await python.finished();
    });

    it('sends wait while Python does not read, and then all arrive, in order', OPTIONS, async (t) => {
      const count = 300;
      const script = `
        peer = meet()
        count = hear()
        digest = hashlib.sha256()
        for _ in range(count): digest.update(peer.recv(65536))
        say(digest.hexdigest())
      `;
      const { python, socket } = await meet(t, role, script);
      const messages = Array.from({ length: count }, (_, index) => Buffer.alloc(10_000, `${index} `));
      const settled: number[] = [];
      const sends = messages.map(async (message, index) => {
        await socket.send(message);
        settled.push(index);
      });
      await sends[0];
      assert.ok(settled.length < count, 'the queue has no room for all');
      python.tell(count);
      await Promise.all(sends);
      assert.deepEqual(settled, [...messages.keys()]);
      const digest = createHash('sha256').update(Buffer.concat(messages)).digest('hex');
      assert.equal(await python.says(), digest);
    });

    it("Python's close is our end of file, after the last message", OPTIONS, async (t) => {
      const script = `
        peer = meet()
        hear()
        peer.send(b'last')
        peer.close()
      `;
      const { python, socket } = await meet(t, role, script);
      const last = receiveText(socket);
      const end = assertEndOfFile(socket);
      python.tell('close');
      assert.equal(await last, 'last');
      await end;
      await assertEndOfFile(socket);
      await assert.rejects(socket.send(Buffer.from('too late')), { code: 'EPIPE' });
    });

    it("Python's shutdown of sending is our end of file, and Python still hears us", OPTIONS, async (t) => {
      const script = `
        peer = meet()
        peer.send(b'last')
        peer.shutdown(socket.SHUT_WR)
        say(peer.recv(100).decode())
      `;
      const { python, socket } = await meet(t, role, script);
      assert.equal(await receiveText(socket), 'last');
      await assertEndOfFile(socket);
      await socket.send(Buffer.from('still heard'));
      assert.equal(await python.says(), 'still heard');
      await python.finished();
    });

    it("our close is Python's end of file, after the last message", OPTIONS, async (t) => {
      const script = `
        peer = meet()
        say([peer.recv(100).decode() for _ in range(3)])
      `;
      const { python, socket } = await meet(t, role, script);
      await Promise.all([socket.send(Buffer.from('one')), socket.send(Buffer.from('last'))]);
      socket.close();
      assert.deepEqual(await python.says(), ['one', 'last', '']);
    });

    it("our shutdown of sending is Python's end of file, and we still hear Python", OPTIONS, async (t) => {
      const script = `
        peer = meet()
        say([peer.recv(100).decode() for _ in range(2)])
        peer.send(b'still heard')
      `;
      const { python, socket } = await meet(t, role, script);
      await socket.send(Buffer.from('last'));
      socket.shutdown('send');
      assert.deepEqual(await python.says(), ['last', '']);
      assert.equal(await receiveText(socket), 'still heard');
    });

    it('empty messages are distinct from the end of file if delivered', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        for message in b'', b'full', b'': peer.send(message)
        say('sent')
        hear()
        peer.send(b'')
      `;
      const { python, socket } = await meet(t, role, script);
      await python.says();
      // What was queued before the option was set counts as well.
      socket.setOption('emptyMessages', 'deliver');
      assert.equal(await receiveText(socket), '');
      assert.equal(await receiveText(socket), 'full');
      assert.equal(await receiveText(socket), '');
      python.tell('go on');
      assert.equal(await receiveText(socket), '');
      await assertEndOfFile(socket);
    });

    it('an empty message is an end of file by default, and hides nothing', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        peer.send(b'')
        peer.send(b'next')
      `;
      const { socket } = await meet(t, role, script);
      await assertEndOfFile(socket);
      assert.equal(await receiveText(socket), 'next');
    });

    it('all messages arrive before ECONNRESET when Python closes with unread data', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        for message in b'one', b'two', b'three': peer.send(message)
        hear()
        peer.close()
        say('closed')
      `;
      const { python, socket } = await meet(t, role, script);
      await socket.send(Buffer.from('never read'));
      python.tell('close');
      await python.says();
      assert.equal(await receiveText(socket), 'one');
      assert.equal(await receiveText(socket), 'two');
      assert.equal(await receiveText(socket), 'three');
      await assert.rejects(receive(socket), { code: 'ECONNRESET', syscall: 'recvmsg' });
      await assertEndOfFile(socket);
    });

    it('all messages arrive before ECONNRESET also after a send that failed with it', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        for message in b'one', b'two': peer.send(message)
        hear()
        peer.close()
        say('closed')
      `;
      const { python, socket } = await meet(t, role, script);
      await socket.send(Buffer.from('never read'));
      python.tell('close');
      await python.says();
      await assert.rejects(socket.send(Buffer.from('too late')), { code: 'ECONNRESET', syscall: 'sendmsg' });
      assert.equal(await receiveText(socket), 'one');
      assert.equal(await receiveText(socket), 'two');
      await assert.rejects(receive(socket), { code: 'ECONNRESET', syscall: 'recvmsg' });
      await assertEndOfFile(socket);
    });

    it('receives that wait settle in order when Python closes with unread data', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        hear()
        peer.send(b'only')
        peer.close()
      `;
      const { python, socket } = await meet(t, role, script);
      await socket.send(Buffer.from('never read'));
      const only = receiveText(socket);
      const reset = assert.rejects(receive(socket), { code: 'ECONNRESET' });
      const end = assertEndOfFile(socket);
      python.tell('close');
      assert.equal(await only, 'only');
      await reset;
      await end;
    });

    it('a message longer than the buffer is EMSGSIZE, then received whole', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        peer.send(b'long' * 15000)
        peer.send(b'next')
      `;
      const { socket } = await meet(t, role, script);
      const tooLong = { code: 'EMSGSIZE', messageSize: 60_000, syscall: 'recvmsg' };
      await assert.rejects(socket.receive(Buffer.alloc(100)), tooLong);
      await assert.rejects(socket.receive(Buffer.alloc(59_999)), tooLong);
      assert.deepEqual(await receive(socket), Buffer.alloc(60_000, 'long'));
      assert.equal(await receiveText(socket), 'next');
    });

    it('a message longer than the buffer keeps its descriptors', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        read_end, write_end = os.pipe()
        os.write(write_end, b'through the pipe')
        socket.send_fds(peer, [b'long' * 100], [read_end])
      `;
      const { socket } = await meet(t, role, script);
      await assert.rejects(socket.receive(Buffer.alloc(4)), { code: 'EMSGSIZE', messageSize: 400 });
      const { bytesRead, fds } = await socket.receiveWithFds(Buffer.alloc(400), 1);
      assert.equal(bytesRead, 400);
      assert.equal(fds.length, 1);
      assert.equal(readPipe(fds[0]!), 'through the pipe');
      closeAll(fds);
    });

    it('a file, a pipe and a socket from Python work in Node.js', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        path = hear()
        with open(path, 'w') as file: file.write('from the file')
        file = os.open(path, os.O_RDONLY)
        read_end, write_end = os.pipe()
        os.write(write_end, b'through the pipe')
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(peer, [b'three'], [file, read_end, theirs.fileno()])
        for fd in file, read_end, theirs.detach(): os.close(fd)
        say(ours.recv(100).decode())
        ours.send(b'through the socket')
      `;
      const { python, socket } = await meet(t, role, script);
      python.tell(scratchPath('file'));
      const buffer = Buffer.alloc(100);
      const { bytesRead, fds, controlTruncated } = await socket.receiveWithFds(buffer, MOST_FDS);
      assert.equal(buffer.toString('utf8', 0, bytesRead), 'three');
      assert.equal(controlTruncated, false);
      assert.equal(fds.length, 3);
      const [file, pipe, passed] = fds as [FileDescriptor, FileDescriptor, FileDescriptor];
      assert.equal(readFileSync(file.fd, 'utf8'), 'from the file');
      assert.equal(readPipe(pipe), 'through the pipe');
      const passedSocket = closing(t, new SeqpacketSocket(passed));
      await passedSocket.send(Buffer.from('hello'));
      assert.equal(await python.says(), 'hello');
      assert.equal(await receiveText(passedSocket), 'through the socket');
      await python.finished();
      closeAll(fds);
    });

    it('a file, a pipe and a socket from Node.js work in Python', OPTIONS, async (t) => {
      const script = `
        peer = meet()
        message, (file, pipe, passed), flags, _ = socket.recv_fds(peer, 100, 10)
        say([message.decode(), flags & socket.MSG_CTRUNC, os.read(file, 100).decode()])
        os.write(pipe, b'through the pipe')
        theirs = socket.socket(fileno=passed)
        theirs.setblocking(True)
        say(theirs.recv(100).decode())
        theirs.send(b'through the socket')
      `;
      const { python, socket } = await meet(t, role, script);
      const directory = scratchDirectory();
      writeFileSync(join(directory, 'file'), 'from the file');
      const file = openSync(join(directory, 'file'), 'r');
      execFileSync('mkfifo', [join(directory, 'pipe')]);
      using pipe = FileDescriptor.adopt(openSync(join(directory, 'pipe'), constants.O_RDWR));
      const [ours, theirs] = SeqpacketSocket.pair();
      closing(t, ours);

      const sent = socket.sendWithFds(Buffer.from('three'), [file, pipe, theirs]);
      // They may be closed as soon as the call has returned.
      closeSync(file);
      theirs.close();
      assert.equal(await sent, 5);
      assert.deepEqual(await python.says(), ['three', 0, 'from the file']);
      await ours.send(Buffer.from('hello'));
      assert.equal(await python.says(), 'hello');
      assert.equal(readPipe(pipe), 'through the pipe');
      assert.equal(await receiveText(ours), 'through the socket');
      await python.finished();
    });

    it(`${MOST_FDS} descriptors fit one message, both ways`, OPTIONS, async (t) => {
      const script = `
        peer = meet()
        message, fds, flags, _ = socket.recv_fds(peer, 100, ${MOST_FDS})
        for number, fd in enumerate(fds): os.write(fd, bytes([number]))
        socket.send_fds(peer, [b'back'], fds)
      `;
      const { python, socket } = await meet(t, role, script);
      const path = scratchPath('file');
      using file = FileDescriptor.adopt(openSync(path, 'w'));
      await socket.sendWithFds(Buffer.from('there'), new Array(MOST_FDS).fill(file));
      const { fds, controlTruncated } = await socket.receiveWithFds(Buffer.alloc(100), MOST_FDS);
      closeAll(fds);
      assert.equal(controlTruncated, false);
      assert.equal(fds.length, MOST_FDS);
      assert.deepEqual([...readFileSync(path)], [...fds.keys()]);
      await python.finished();
    });

    it('each end reads the credentials of the other', OPTIONS, async (t) => {
      const { python, socket } = await meet(t, role, CREDENTIALS);
      const theirs = (await python.says()) as PeerCredentials;
      assert.notEqual(theirs.pid, process.pid);
      assert.deepEqual(socket.getOption('remoteCredentials'), theirs);
      assert.deepEqual(await python.says(), [process.pid, process.getuid?.(), process.getgid?.()]);
    });

    it('another user is distinguished, with all supplementary groups', AS_ROOT, async (t) => {
      const many = Array.from({ length: 1000 }, (_, index) => index + 10);
      for (const groups of [[1, 2, 3], [], many]) {
        // An abstract name: the directory would not let another user in.
        const script = AS_ANOTHER_USER + CREDENTIALS;
        const { python, socket } = await meetAt(abstractName(), t, role, script, groups);
        const theirs = (await python.says()) as PeerCredentials;
        assert.deepEqual(theirs, { pid: theirs.pid, uid: 5, gid: 4, groups });
        assert.deepEqual(socket.getOption('remoteCredentials'), theirs);
      }
    });
  });
}

describe('names of sockets, between Python and us', () => {
  it('an abstract name of ours is exactly as long as it is given', OPTIONS, async (t) => {
    for (const name of [abstractName(), abstractName().padEnd(LONGEST_NAME, 'x')]) {
      const acceptor = closing(t, listeningAt(name));
      const script = `
        name = args[0]
        peer = connect(name)
        say([peer.getpeername().decode(), peer.getsockname()])
        for other in {name[:-1], name[:107] + '\\0', name.ljust(108, '\\0')} - {name}:
            try:
                seqpacket().connect(other)
                say('connected by another name')
            except ConnectionRefusedError: pass
        say('done')
      `;
      const python = new Python(t, script, name);
      assert.equal(await python.says(), 'connected');
      const socket = closing(t, await acceptor.accept());
      assert.equal(acceptor.localPath, name);
      assert.equal(socket.localPath, name);
      assert.deepEqual(await python.says(), [name, '']);
      assert.equal(await python.says(), 'done');
    }
  });

  it('an abstract name of Python is exactly as long as it is given', OPTIONS, async (t) => {
    for (const name of [abstractName(), abstractName().padEnd(LONGEST_NAME, 'x')]) {
      const python = new Python(t, 'say(listen(args[0]).accept()[1])', name);
      assert.equal(await python.says(), 'listening');
      const others = [name.slice(0, -1), `${name}x`].filter((other) => other.length <= LONGEST_NAME);
      for (const other of others) {
        const socket = closing(t, new SeqpacketSocket());
        await assert.rejects(socket.connect(other), { code: 'ECONNREFUSED', address: other });
      }
      const socket = await connected(t, name);
      assert.equal(socket.remotePath, name);
      assert.equal(socket.localPath, '');
      assert.equal(await python.says(), '', 'the name that Python has for us');
      await python.finished();
    }
  });

  it("the name of Python's end is told as it is, and an unnamed end has none", OPTIONS, async (t) => {
    const directory = scratchDirectory();
    const acceptor = closing(t, listeningAt(join(directory, 'socket')));
    const script = `
      path, directory, abstract = args
      abstract = abstract.encode()
      names = None, directory + '/ö', abstract, abstract + b'\\0with NULs\\0', abstract + b'\\xff', ''
      for name in names:
          peer = seqpacket()
          if name is not None: peer.bind(name)
          peer.connect(path)
          say(list(os.fsencode(peer.getsockname())))
          hear()
    `;
    const python = new Python(t, script, acceptor.localPath, directory, abstractName());
    const types = [];
    for (let index = 0; index < 6; index++) {
      const socket = closing(t, await python.meanwhile(acceptor.accept()));
      const { remotePath } = socket;
      assert.deepEqual([...Buffer.from(remotePath)], await python.says());
      types.push(typeof remotePath);
      if (index === 0) assert.equal(remotePath, '');
      if (index === 1) assert.equal(remotePath, join(directory, 'ö'));
      // The kernel itself names what is bound to nothing in particular: NUL and five hexadecimal digits.
      if (index === 5) assert.match(remotePath.toString(), /^\0[0-9a-f]{5}$/);
      python.tell('next');
    }
    assert.deepEqual(types, ['string', 'string', 'string', 'string', 'object', 'string']);
    await python.finished();
  });

  it('Python receives the exact name of the socket', OPTIONS, async (t) => {
    const directory = scratchDirectory();
    const path = join(directory, 'socket');
    const script = `
      listener = listen(args[0])
      while True: say(os.fsdecode(listener.accept()[1] or ''))
    `;
    const python = new Python(t, script, path);
    assert.equal(await python.says(), 'listening');
    for (const name of ['', join(directory, 'ö'), abstractName(), abstractName().padEnd(LONGEST_NAME, 'x')]) {
      const socket = closing(t, new SeqpacketSocket());
      socket.open();
      if (name !== '') socket.bind(name);
      await socket.connect(path);
      assert.equal(await python.says(), name);
      assert.equal(socket.localPath, name);
      assert.equal(socket.remotePath, path);
    }
  });

  it('paths that no sockaddr has room for lead to the same sockets', OPTIONS, async (t) => {
    const directory = join(scratchDirectory(), 'd'.repeat(150));
    const path = join(directory, 'socket');
    mkdirSync(directory);
    {
      const script = "os.chdir(args[0]); say(listen('socket').accept()[0].recv(100).decode())";
      const python = new Python(t, script, directory);
      assert.equal(await python.says(), 'listening');
      const socket = await connected(t, path);
      assert.equal(socket.remotePath, path);
      await socket.send(Buffer.from('hello'));
      assert.equal(await python.says(), 'hello');
      await python.finished();
      rmSync(path);
    }
    {
      const acceptor = closing(t, listeningAt(path));
      const script = "os.chdir(args[0]); say(connect('socket').recv(100).decode())";
      const python = new Python(t, script, directory);
      assert.equal(await python.says(), 'connected');
      const socket = closing(t, await acceptor.accept());
      assert.equal(acceptor.localPath, path);
      assert.equal(socket.localPath, path);
      assert.equal(socket.remotePath, '');
      await socket.send(Buffer.from('hello'));
      assert.equal(await python.says(), 'hello');
      await python.finished();
    }
  });
});
