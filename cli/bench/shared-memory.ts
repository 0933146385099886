/** `--shared-memory`: the messages go through memory that both processes share. */
import { type SeqpacketSocket, type SharedChannel, shareMemory } from 'seqpacket';
import { codeOf, Failure } from '../process/failure.js';
import { IdleTimeout } from '../process/idle-timeout.js';
import { stopSignal } from '../process/stopping.js';
import { IDLE_SECONDS } from './measuring.js';

const LEAST_BYTES = 1 << 20;
const MOST_BYTES = 2 ** 30;
/** Room for as many messages, so that the ends can work at different times. */
const MESSAGES = 8;
const RECORD_HEAD = 8;

/** The size of the memory of each end, for messages of this length. */
export function memoryBytes(size: number): number {
  return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, MESSAGES * (size + RECORD_HEAD)));
}

/**
 * Shares memory with the peer.
 *
 * @param peer for the error message
 * @throws {Failure} if the peer does not share memory
 */
export async function shareMemoryWith(
  socket: SeqpacketSocket,
  peer: string,
  bytes: number,
): Promise<SharedChannel> {
  const timeout = new IdleTimeout(IDLE_SECONDS);
  try {
    return await shareMemory(socket, { bytes, signal: timeout.signal });
  } catch (error) {
    if (stopSignal.aborted || !(timeout.hasExpired || codeOf(error) === 'EPROTO')) throw error;
    throw new Failure(
      `${peer} does not share memory: with --shared-memory, the echo service must call shareMemory, too`,
    );
  } finally {
    timeout.end();
  }
}
