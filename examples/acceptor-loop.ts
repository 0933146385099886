/**
 * A server that answers every message in upper case, and its clients. With a path, it serves until it is stopped.
 *
 *     node acceptor-loop.js [PATH]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';

async function serve(acceptor: SeqpacketAcceptor): Promise<void> {
  try {
    // Not awaited: one client does not block the others. Caught: one client cannot end the server.
    for (;;) answer(await acceptor.accept()).catch((error) => console.error(error.message));
  } catch (error) {
    // A waiting accept ends with ECANCELED when the acceptor is closed.
    if ((error as NodeJS.ErrnoException).code !== 'ECANCELED') throw error;
  }
}

async function answer(socket: SeqpacketSocket): Promise<void> {
  using client = socket;
  const buffer = Buffer.alloc(65536);
  try {
    for (;;) {
      const length = await client.receive(buffer);
      await client.send(Buffer.from(buffer.toString('utf8', 0, length).toUpperCase()));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EOF') throw error;
  }
}

async function ask(path: string, question: string): Promise<string> {
  using socket = new SeqpacketSocket();
  await socket.connect(path);
  await socket.send(Buffer.from(question));
  const buffer = Buffer.alloc(65536);
  return buffer.toString('utf8', 0, await socket.receive(buffer));
}

const directory = mkdtempSync(join(tmpdir(), 'seqpacket-example-'));
const given = process.argv[2];
const path = given ?? join(directory, 'upper.socket');

const acceptor = new SeqpacketAcceptor();
acceptor.open();
acceptor.bind(path);
acceptor.listen();
const served = serve(acceptor);

for (const question of ['one', 'two', 'three']) console.log(await ask(path, question));

if (given === undefined) acceptor.close();
await served;
rmSync(directory, { recursive: true });
