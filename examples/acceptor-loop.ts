/**
 * A server that answers every message in upper case, and stops after its third client.
 *
 *     node acceptor-loop.js [PATH]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';

async function serve(acceptor: SeqpacketAcceptor): Promise<void> {
  const sessions: Promise<void>[] = [];
  try {
    for (;;) sessions.push(answer(await acceptor.accept()));
  } catch (error) {
    // That is how a waiting accept ends when the acceptor is closed.
    if ((error as NodeJS.ErrnoException).code !== 'ECANCELED') throw error;
  }
  await Promise.all(sessions);
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
const path = process.argv[2] ?? join(directory, 'upper.socket');

const acceptor = new SeqpacketAcceptor();
acceptor.open();
acceptor.bind(path);
acceptor.listen();
const served = serve(acceptor);

for (const question of ['one', 'two', 'three']) console.log(await ask(path, question));

acceptor.close();
await served;
rmSync(directory, { recursive: true });
