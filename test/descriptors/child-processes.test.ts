/** One end of a pair for a child process of any language. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { pair, pairForChild } from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { receiveText } from '../support/sockets.js';

const withPython = { skip: missing('python3') };

test('a python3 child has its end as descriptor 3, blocking, as it expects', withPython, async () => {
  const before = openDescriptors().size;
  const [socket, theirs] = pairForChild();
  const script = `
import socket
s = socket.socket(fileno=3)
assert (s.family, s.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET)
while True:
    message = s.recv(65536)
    if not message: break
    s.send(message.upper())
`;
  const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit', theirs.fd] });
  const exit = once(child, 'exit');
  theirs.close();
  // It waits in recv for a while: a socket that did not block would end it with an error.
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (const text of ['one', 'two']) {
    await socket.send(Buffer.from(text));
    assert.equal(await receiveText(socket), text.toUpperCase());
  }
  socket.shutdown('send');
  assert.deepEqual(await exit, [0, null]);
  await assert.rejects(receiveText(socket), { code: 'EOF' });
  socket.close();
  assert.equal(openDescriptors().size, before);
});

test('empty messages of a child are distinguished from its end of file', withPython, async () => {
  const [socket, theirs] = pairForChild({ emptyMessages: 'deliver' });
  const script = "import socket; s = socket.socket(fileno=3); s.send(b'one'); s.send(b''); s.send(b'two')";
  const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit', theirs.fd] });
  theirs.close();
  const received: string[] = [];
  for await (const message of socket) received.push(String(message));
  assert.deepEqual(received, ['one', '', 'two']);
  socket.close();
  if (child.exitCode === null) await once(child, 'exit');
});

test('a Node.js child adopts its end', async () => {
  const [socket, theirs] = pairForChild();
  const script = `
    import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
    const socket = new SeqpacketSocket(FileDescriptor.adopt(3));
    for await (const data of socket) await socket.send(Buffer.from(String(data).toUpperCase()));
    socket.close();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
  });
  const exit = once(child, 'exit');
  theirs.close();
  await socket.send(Buffer.from('hello'));
  assert.equal(await receiveText(socket), 'HELLO');
  socket.close();
  assert.deepEqual(await exit, [0, null]);
});

test('a child may have a socket as its stdin and stdout', async () => {
  const [socket, theirs] = pairForChild();
  const child = spawn('cat', { stdio: [theirs.fd, theirs.fd, 'inherit'] });
  const exit = once(child, 'exit');
  theirs.close();
  await socket.send(Buffer.from('a message'));
  assert.equal(await receiveText(socket), 'a message');
  socket.close();
  assert.deepEqual(await exit, [0, null]);
});

test('when the child dies, that is the end of file', async () => {
  const [socket, theirs] = pairForChild();
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'inherit', theirs.fd] });
  theirs.close();
  const received = socket.receive(Buffer.alloc(1));
  child.kill('SIGKILL');
  await assert.rejects(received, { code: 'EOF' });
  socket.close();
});

test(
  'a socket itself goes into stdio too, for children that do not mind that it does not block',
  withPython,
  async () => {
    const [ours, theirs] = pair();
    const script =
      'import socket, select; s = socket.socket(fileno=3); select.select([s], [], []); s.send(s.recv(100)[::-1])';
    const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit', theirs.fd] });
    assert.ok(isOpenDescriptor(theirs.fd));
    theirs.close();
    await ours.send(Buffer.from('abc'));
    assert.equal(await receiveText(ours), 'cba');
    ours.close();
    await once(child, 'exit');
  },
);
