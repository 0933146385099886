/** The echo process of `bench`: returns every message on the socket that it inherits as descriptor 3. */
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { codeOf } from '../process/failure.js';

/** The argument that starts it. */
export const ECHO_COMMAND = '--echo-descriptor-3';

export async function echo(): Promise<void> {
  const socket = new SeqpacketSocket(FileDescriptor.adopt(3));
  try {
    for (;;) {
      const messages = await socket.receiveMany();
      if (messages.length === 1) await socket.send(messages[0]!);
      else await socket.sendMany(messages);
    }
  } catch (error) {
    if (!['EOF', 'EPIPE', 'ECONNRESET'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    socket.close();
  }
}
