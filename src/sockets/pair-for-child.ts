import { checkOptions } from '../arguments';
import { setNonBlocking } from '../descriptors/descriptor-flags';
import type { FileDescriptor } from '../descriptors/file-descriptor';
import { emptyMessagesOption } from '../messages/empty-messages';
import { type PairOptions, withEmptyMessages } from './connect';
import { SeqpacketSocket } from './socket';

/**
 * Creates a socket, and the descriptor of its other end for a child process in any language (socketpair(2)). The
 * descriptor is in blocking mode, as most programs expect of inherited descriptors. Pass its number to `spawn`, then
 * close it in this process:
 *
 * ```ts
 * const [socket, theirs] = pairForChild();
 * spawn('python3', ['child.py'], { stdio: ['inherit', 'inherit', 'inherit', theirs.fd] });
 * theirs.close();
 * ```
 *
 * The descriptor is number 3 in the child. After the child ends, `receive` rejects at end of file. The caller must
 * close the socket. `emptyMessages` applies to the socket in this process. A child that uses only recvmsg(2) cannot
 * distinguish an empty message from the end of file.
 *
 * @throws `EMFILE`, `ENFILE`
 */
export function pairForChild(options?: PairOptions): [SeqpacketSocket, FileDescriptor] {
  const mode = emptyMessagesOption(checkOptions(options).emptyMessages);
  const [ours, other] = SeqpacketSocket.pair();
  const theirs = other.release();
  try {
    setNonBlocking(theirs.fd, false);
    return [withEmptyMessages(ours, mode), theirs];
  } catch (error) {
    ours.close();
    theirs.close();
    throw error;
  }
}
