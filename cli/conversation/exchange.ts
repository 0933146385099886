/** The exchange of messages with the only peer of a session. */
import type { SeqpacketSocket } from 'seqpacket';
import { Failure, reasonOf } from '../process/failure.js';
import { onStop, stopSignal } from '../process/stopping.js';
import type { Session } from './session.js';

/** How long input is still accepted after the peer's last message, once the peer has shut down sending. */
const LINGER_MS = 500;

/** Sends all messages, shuts down sending, and receives until the peer's end of file. Closes the socket. */
export async function exchange(session: Session, socket: SeqpacketSocket): Promise<void> {
  const { timeout } = session;
  const conversation = session.open(socket, 1);
  const { source } = session;
  const abort = () => {
    source.close();
    socket.close();
  };
  timeout.signal.addEventListener('abort', abort, { once: true });
  onStop(abort);
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => {
    lingering ??= setTimeout(() => source.close(), session.isPrompted ? 0 : LINGER_MS);
    lingering.refresh();
  };

  const receiving = conversation.receiveAll().then(linger, (error) => {
    source.close();
    throw error;
  });
  const sending = (async () => {
    for (let next = await source.next(); next !== undefined; next = await source.next()) {
      try {
        await conversation.send(next);
      } catch (error) {
        throw new Failure(`${source.place} was not sent: ${reasonOf(error)}`);
      }
      if (conversation.hasReceivedAll) linger();
    }
  })().finally(() => {
    source.close();
    conversation.halfClose();
  });

  const failures = (await Promise.allSettled([sending, receiving])).filter(
    (each) => each.status === 'rejected',
  );
  clearTimeout(lingering);
  socket.close();
  if (stopSignal.aborted) return;
  timeout.throwIfExpired('nothing was sent or received');
  if (failures[0] !== undefined) throw failures[0].reason;
  await session.received.finishCopies();
}
