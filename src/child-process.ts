import { emptyMessagesOf, type PairOptions, withMode } from './connect';
import { systemError } from './errors';
import type { FileDescriptor } from './file-descriptor';
import { F_GETFL, F_SETFL, O_NONBLOCK } from './linux';
import { os } from './os';
import { SeqpacketSocket } from './socket';

/**
 * A socket, and the descriptor of its other end for a child process of any language: blocking, as programs
 * expect what they inherit to be. Give its number to `spawn`, then close it here:
 *
 * ```ts
 * const [socket, theirs] = pairForChild();
 * spawn('python3', ['child.py'], { stdio: ['inherit', 'inherit', 'inherit', theirs.fd] });
 * theirs.close();
 * ```
 *
 * The child has it as descriptor 3. When the child ends, `receive` comes to the end of file. `emptyMessages` is of the
 * socket here; a child that receives with recvmsg(2) alone cannot tell an empty message from the end of file.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function pairForChild(options?: PairOptions): [SeqpacketSocket, FileDescriptor] {
  const mode = emptyMessagesOf(options);
  const [ours, other] = SeqpacketSocket.pair();
  const theirs = other.release();
  const flags = os.fcntl(theirs.fd, F_GETFL, 0);
  const result = flags < 0 ? flags : os.fcntl(theirs.fd, F_SETFL, flags & ~O_NONBLOCK);
  if (result < 0) {
    ours.close();
    theirs.close();
    throw systemError('fcntl', result);
  }
  return [withMode(ours, mode), theirs];
}
