/** The echo process of `bench`: returns every message on the socket that it inherits as descriptor 3. */
import { FileDescriptor, SeqpacketSocket, shareMemory } from 'seqpacket';
import { codeOf } from '../process/failure.js';

/** The argument that starts it. */
export const ECHO_COMMAND = '--echo-descriptor-3';

/** @param memoryBytes the size of the shared memory for the answers; undefined: none is shared */
export async function echo(memoryBytes: string | undefined): Promise<void> {
  const socket = new SeqpacketSocket(FileDescriptor.adopt(3));
  try {
    const connection =
      memoryBytes === undefined ? socket : await shareMemory(socket, { bytes: Number(memoryBytes) });
    for (;;) {
      const messages = await connection.receiveMany();
      if (messages.length === 1) await connection.send(messages[0]!);
      else await connection.sendMany(messages);
    }
  } catch (error) {
    if (!['EOF', 'EPIPE', 'ECONNRESET'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    socket.close();
  }
}
