import { checkOptions } from '../arguments';
import { setNonBlocking } from '../descriptors/descriptor-flags';
import type { FileDescriptor } from '../descriptors/file-descriptor';
import { emptyMessagesOption } from '../messages/empty-messages';
import { type PairOptions, withMode } from './connect';
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
 * socket here; a child that receives with recvmsg(2) alone cannot distinguish an empty message from the end of file.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function pairForChild(options?: PairOptions): [SeqpacketSocket, FileDescriptor] {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const [ours, other] = SeqpacketSocket.pair();
  const theirs = other.release();
  try {
    setNonBlocking(theirs.fd, false);
    return [withMode(ours, mode), theirs];
  } catch (error) {
    ours.close();
    theirs.close();
    throw error;
  }
}
