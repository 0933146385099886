/** Sends messages of any length, with descriptors. */
import { type FileHandle, open } from 'node:fs/promises';
import type { FdSource, FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { cannotOpen, codeOf, Failure } from '../process/failure.js';
import { sleep, stopSignal } from '../process/stopping.js';
import type { Outgoing } from './message.js';

export class PeerClosed extends Failure {}

const IN_FLIGHT_PAUSE_MS = 5;

/** The kernel's limit of descriptors in one message (SCM_MAX_FD). */
export const MAX_FDS = 253;

/**
 * Sends a message, without going through the event loop if possible. Otherwise waits for room in the queue, enlarges the
 * send buffer as far as net.core.wmem_max allows, and waits while too many descriptors are in flight (ETOOMANYREFS).
 */
export async function sendMessage(
  socket: SeqpacketSocket,
  data: Buffer,
  fds: readonly (FileDescriptor | FdSource)[],
): Promise<void> {
  let isEnlarged = false;
  for (;;) {
    try {
      if (!socket.trySend(data, fds)) await socket.sendWithFds(data, fds);
      return;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EMSGSIZE' && !isEnlarged) {
        isEnlarged = true;
        socket.setOption('sendBufferSize', data.length);
      } else if (code === 'ETOOMANYREFS' && !stopSignal.aborted) {
        await sleep(IN_FLIGHT_PAUSE_MS);
      } else {
        throw error;
      }
    }
  }
}

/** Sends a message of the user; opens the files to pass, and closes them afterwards. */
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
    await sendMessage(socket, data, sources);
  } catch (error) {
    throw explainError(error, data.length, fds);
  } finally {
    for (const handle of opened) await handle.close();
  }
}

function explainError(error: unknown, size: number, fds: (string | number)[]): unknown {
  switch (codeOf(error)) {
    case 'EPIPE':
    case 'ECONNRESET':
      return new PeerClosed('the peer has closed the connection');
    case 'EMSGSIZE':
      return new Failure(
        `a message of ${size} bytes does not fit the send buffer (its limit is the sysctl net.core.wmem_max)`,
      );
    case 'EBADF':
    case 'ERR_OUT_OF_RANGE':
      if (fds.length > MAX_FDS) return new Failure(`a message can carry at most ${MAX_FDS} descriptors`);
      return new Failure(`no such descriptor among ${fds.join(', ')}: open it in the shell, as in 3<FILE`);
    default:
      return error;
  }
}
