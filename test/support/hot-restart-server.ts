/**
 * A TCP server that can be replaced while it runs: it hands its listening socket to its successor, who
 * asks for it over a SEQPACKET socket, and ends when its last connection has.
 *
 *     node hot-restart-server.js CONTROL NAME first|successor
 */
import { createServer } from 'node:net';
import { connect, type FileDescriptor, listen } from 'seqpacket';

const [control, name, role] = process.argv.slice(2) as [string, string, string];

const server = createServer((socket) => {
  socket.once('data', () => socket.end(name));
  socket.on('error', (error) => console.error(name, error));
});

if (role === 'first') {
  server.listen(0, '127.0.0.1', 4096);
} else {
  using predecessor = await connect(control);
  const { fds } = await predecessor.receiveMessage({ maxFds: 1 });
  server.listen({ fd: (fds[0] as FileDescriptor).detach() });
  await new Promise((resolve) => server.once('listening', resolve));
  // Only now does the predecessor stop accepting: at every moment somebody does.
  await predecessor.send(Buffer.from('taken over'));
  await predecessor.receive(Buffer.alloc(1)).catch(() => undefined);
}
if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
console.log(JSON.stringify(server.address()));

const acceptor = listen(control);
for await (const successor of acceptor) {
  await successor.sendWithFds(Buffer.from('listener'), [server]);
  await successor.receive(Buffer.alloc(100));
  acceptor.close();
  server.close();
  successor.close();
}
