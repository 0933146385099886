/** Sending, whatever the length, with descriptors by name or number. */
import { type FileHandle, open } from 'node:fs/promises';
import type { FdSource, FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import { pause, stopped } from '../process/stopping.js';
import type { Outgoing } from './framing.js';

export class PeerHasClosed extends Failure {}

const IN_FLIGHT_PAUSE_MS = 5;

/** How many descriptors Linux has room for in one message. */
const SCM_MAX_FD = 253;

/**
 * Sends a message at once where that is possible; otherwise waits for room, makes the send buffer larger as far as
 * net.core.wmem_max allows, and waits for descriptors that are in flight to be received.
 */
export async function sendWhole(
  socket: SeqpacketSocket,
  data: Buffer,
  fds: readonly (FileDescriptor | FdSource)[],
): Promise<void> {
  let isLarger = false;
  for (;;) {
    try {
      if (!socket.trySend(data, fds)) await socket.sendWithFds(data, fds);
      return;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EMSGSIZE' && !isLarger) {
        isLarger = true;
        socket.setOption('sendBufferSize', data.length);
      } else if (code === 'ETOOMANYREFS' && !stopped.aborted) {
        await pause(IN_FLIGHT_PAUSE_MS);
      } else {
        throw error;
      }
    }
  }
}

/** Sends what a user wrote: opens the files, and closes them again. */
export async function sendOutgoing(socket: SeqpacketSocket, { data, fds }: Outgoing): Promise<void> {
  const opened: FileHandle[] = [];
  try {
    const sources: FdSource[] = [];
    for (const source of fds) {
      if (typeof source === 'number') {
        sources.push(source);
        continue;
      }
      const handle = await open(source, 'r').catch((error) => {
        throw cannotOpen(source, error);
      });
      opened.push(handle);
      sources.push(handle);
    }
    await sendWhole(socket, data, sources);
  } catch (error) {
    throw explained(error, data.length, fds);
  } finally {
    for (const handle of opened) await handle.close();
  }
}

function explained(error: unknown, size: number, fds: (string | number)[]): unknown {
  switch (codeOf(error)) {
    case 'EPIPE':
    case 'ECONNRESET':
      return new PeerHasClosed('the peer takes no more messages: it has closed');
    case 'EMSGSIZE':
      return new Failure(
        `a message of ${size} bytes is too long for the send buffer (sysctl net.core.wmem_max is the limit)`,
      );
    case 'EBADF':
    case 'ERR_OUT_OF_RANGE':
      if (fds.length > SCM_MAX_FD)
        return new Failure(`one message carries at most ${SCM_MAX_FD} descriptors`);
      return new Failure(`no such descriptor among ${fds.join(', ')}: open it in the shell, as in 3<FILE`);
    default:
      return error;
  }
}
