/** The exchange of messages with the only peer of a session. */
import type { SeqpacketSocket } from 'seqpacket';
import { Failure, reasonOf } from '../process/failure.js';
import { onStop, stopSignal } from '../process/stopping.js';
import { printRemark } from '../process/terminal.js';
import type { Session } from './session.js';

/** How long input is still accepted after the peer's last message, once the peer has shut down sending. */
const LINGER_MS = 500;

/** How long the next answer is awaited before sending is shut down. */
const QUIET_MS = 1000;

/** The end of an exchange, if the peer does not end it. */
export interface Ending {
  /** The number of messages to receive; undefined: all. */
  count?: number | undefined;
  /**
   * When sending is shut down after the last message. Some services close at the end of file without sending the
   * answers that are still due; others answer only then.
   */
  shutdown: 'at once' | 'after answers' | 'never';
}

/** Sends all messages, shuts down sending, and receives until the peer's end of file. Closes the socket. */
export async function exchange(
  session: Session,
  socket: SeqpacketSocket,
  { count, shutdown }: Ending = { shutdown: 'at once' },
): Promise<void> {
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

  const isComplete = () => count !== undefined && conversation.received >= count;
  let discarding: Promise<void> | undefined;
  const receiving = conversation.receiveAll(count).then(
    () => {
      if (!isComplete()) return linger();
      // Without this, the rest of a long input could wait for a peer that waits for room for its answers.
      discarding = conversation.discardRest();
      // Standard input may be endless; --message is not.
      if (session.input !== undefined) source.close();
    },
    (error) => {
      source.close();
      throw error;
    },
  );
  /** If the wait for answers has ended without them, how long it was. */
  let quietMs: number | undefined;
  const sending = (async () => {
    for (let next = await source.next(); next !== undefined; next = await source.next()) {
      try {
        await conversation.send(next);
      } catch (error) {
        throw new Failure(`${source.place} was not sent: ${reasonOf(error)}`);
      }
      if (conversation.hasReceivedAll && !isComplete()) linger();
    }
    if (shutdown === 'never') return;
    if (shutdown === 'after answers') {
      const limit = Math.min(QUIET_MS, timeout.milliseconds / 2);
      if (!(await conversation.hasReceived(conversation.sent, limit))) quietMs = limit;
    }
    conversation.halfClose();
  })().catch((error) => {
    source.close();
    conversation.halfClose();
    throw error;
  });

  const failures = (await Promise.allSettled([sending, receiving])).filter(
    (each) => each.status === 'rejected',
  );
  source.close();
  clearTimeout(lingering);
  if (discarding !== undefined) {
    conversation.stopReceiving();
    await discarding;
  }
  socket.close();
  if (stopSignal.aborted) return;
  timeout.throwIfExpired('nothing was sent or received');
  if (failures[0] !== undefined) throw failures[0].reason;
  if (count !== undefined && !isComplete()) {
    throw new Failure(`the peer has closed after ${conversation.received} of ${count} messages (--count)`);
  }
  if (quietMs !== undefined && conversation.received === 0) {
    printRemark(
      `no answer: the end of file was sent after ${quietMs / 1000} s without one (--no-shutdown: never, --shutdown: at once)`,
    );
  }
  await session.received.finishCopies();
}
