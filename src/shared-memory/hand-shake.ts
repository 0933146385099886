/** The hand-shake: each end sends the descriptor of its region, and maps that of the other end. */
import { checkInteger, checkOptions, checkSignal, type SignalOption } from '../arguments';
import { AbortError, invalidType, notOpen, systemError } from '../errors';
import { ReceiveMessage } from '../messages/receive-attempts';
import { SendWithFds } from '../messages/send-attempts';
import type { Session } from '../sockets/session';
import { isLent, lendSession, requireUnused, SeqpacketSocket } from '../sockets/socket';
import { EPROTO } from '../system/linux';
import { os } from '../system/os';
import { rejection } from '../waiting/turn';
import { SharedChannel } from './channel';
import { Exchange } from './exchange';
import { HAND_SHAKE_BYTES, LARGEST_CAPACITY, MAGIC, SMALLEST_CAPACITY, VERSION } from './layout';
import { createRegion, openRegion, type Region } from './region';

export interface ShareMemoryOptions extends SignalOption {
  /**
   * The size in bytes of the memory for the messages that this end sends: 4,096 to 2^30, rounded up to a power of 2;
   * 1 MiB by default. A message can be half as long. The memory is allocated at once. The peer decides about its own.
   */
  bytes?: number | undefined;
}

const DEFAULT_BYTES = 1 << 20;

/**
 * Goes on through shared memory, with a peer that does the same at the other end of a connected socket. Both processes
 * use this library, or the format in docs/shared-memory.md.
 *
 * The channel takes the socket over: from this call on, operations on the socket itself fail with `EBUSY`, and closing
 * either of them closes both. Call this before any message was sent, or at the same point of the conversation at both
 * ends. If it fails or is aborted after it has begun, the socket is closed, because the peer may have begun, too.
 *
 * @example
 * ```ts
 * import { pair, shareMemory } from 'seqpacket';
 *
 * const [left, right] = pair();
 * const [a, b] = await Promise.all([shareMemory(left), shareMemory(right)]);
 * await a.send('hello');
 * const { data } = await b.receiveMessage();
 * console.log(String(data)); // hello
 * a.close();
 * b.close();
 * ```
 *
 * @throws (rejects) `EPROTO` if the peer does not share memory in this way, `EOF` if it has closed, `ENOSPC` or `ENOMEM`
 *   without memory, `EBUSY` while operations wait on the socket, `EBADF`, `ENOTCONN`, `EMFILE`;
 *   `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` if the runtime cannot map memory
 */
export function shareMemory(socket: SeqpacketSocket, options?: ShareMemoryOptions): Promise<SharedChannel> {
  if (!(socket instanceof SeqpacketSocket)) {
    throw invalidType('socket', 'an instance of SeqpacketSocket', socket);
  }
  const { bytes = DEFAULT_BYTES } = checkOptions(options);
  checkInteger(bytes, 'options.bytes', SMALLEST_CAPACITY, LARGEST_CAPACITY);
  const signal = checkSignal(options);
  if (signal?.aborted) return rejection(new AbortError(signal));
  return begin(socket, 2 ** Math.ceil(Math.log2(bytes)), signal);
}

async function begin(
  socket: SeqpacketSocket,
  capacity: number,
  signal: AbortSignal | undefined,
): Promise<SharedChannel> {
  requireUnused(socket, 'shareMemory');
  const { region, fd } = createRegion(capacity);
  const session = lendSession(socket);
  let incoming: Region | undefined;
  try {
    try {
      await session.sends.run(new SendWithFds(session, [handShake(capacity)], [fd], 0), signal);
    } finally {
      os.close(fd);
    }
    // Another file may have the number of the descriptor by now.
    if (!isLent(socket, session)) throw notOpen('recvmsg', true);
    incoming = await receiveHandShake(session, signal);
    return new SharedChannel(new Exchange(socket, session, region, incoming));
  } catch (error) {
    region.close();
    incoming?.close();
    // The object of the socket may have been opened again.
    if (isLent(socket, session)) socket.close();
    throw error;
  }
}

function handShake(capacity: number): Buffer {
  const message = Buffer.alloc(HAND_SHAKE_BYTES);
  MAGIC.copy(message);
  message.writeUInt32LE(VERSION, 8);
  message.writeUInt32LE(capacity, 12);
  return message;
}

/** Receives the hand-shake of the peer, and maps its region. */
async function receiveHandShake(
  { receives, receiver }: Session,
  signal: AbortSignal | undefined,
): Promise<Region> {
  const { data, fds } = await receives.run(new ReceiveMessage(receiver, 1), signal);
  try {
    if (data.length !== HAND_SHAKE_BYTES || !data.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw refusal('the peer has sent a message that is not a hand-shake');
    }
    const version = data.readUInt32LE(8);
    if (version !== VERSION) {
      throw refusal(`the peer uses version ${version} of the format, and this library version ${VERSION}`);
    }
    const [descriptor] = fds;
    if (descriptor === undefined) throw refusal('the hand-shake of the peer has no descriptor');
    return openRegion(descriptor.fd, data.readUInt32LE(12));
  } finally {
    for (const each of fds) each.close();
  }
}

function refusal(detail: string): Error {
  return systemError('shareMemory', -EPROTO, undefined, detail);
}
