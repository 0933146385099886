/** The other end of a channel without the library: its region, its hand-shake, and the words of both regions. */
import { type FileDescriptor, pair, type SeqpacketSocket, shareMemory } from 'seqpacket';
import { os } from './internals.js';

const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
export const F_SEAL_WRITE = 8;
export const F_SEAL_FUTURE_WRITE = 16;

export const SEALS: number = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
export const HEADER = 4096;
export const CAPACITY = 4096;

/** The words of the header. */
export const TAIL = 0;
export const HEAD = 32;
export const CONSUMER_SLEEPS = 64;
export const PRODUCER_SLEEPS = 96;

/** A file in memory. The caller closes it. */
export function memoryFile({
  bytes = HEADER + CAPACITY,
  seals = SEALS,
  flags = MFD_ALLOW_SEALING,
} = {}): number {
  const fd = os.memfdCreate(Buffer.from('raw-peer\0'), flags);
  if (fd < 0 || os.ftruncate(fd, bytes) < 0) throw new Error(`memfd_create: ${fd}`);
  if (seals !== 0 && os.fcntl(fd, F_ADD_SEALS, seals) < 0) throw new Error('F_ADD_SEALS');
  return fd;
}

export function handShake({ magic = 'SQPKTSHM', version = 1, capacity = CAPACITY } = {}): Buffer {
  const message = Buffer.alloc(16);
  message.write(magic);
  message.writeUInt32LE(version, 8);
  message.writeUInt32LE(capacity, 12);
  return message;
}

export interface RawPeer {
  /** The region to which this peer writes its messages. */
  readonly outgoing: Int32Array;
  /** The region from which it would read. */
  readonly incoming: Int32Array;
}

/** Makes a correct hand-shake on a socket. */
export async function rawPeer(socket: SeqpacketSocket, capacity: number = CAPACITY): Promise<RawPeer> {
  const fd = memoryFile({ bytes: HEADER + capacity });
  const memory = os.mmap(fd, HEADER + capacity) as ArrayBuffer;
  await socket.sendWithFds(handShake({ capacity }), [fd]);
  os.close(fd);
  const { data, fds } = await socket.receiveMessage({ maxFds: 1 });
  const [theirs] = fds as [FileDescriptor];
  const incoming = os.mmap(theirs.fd, HEADER + data.readUInt32LE(12)) as ArrayBuffer;
  theirs.close();
  return { outgoing: new Int32Array(memory), incoming: new Int32Array(incoming) };
}

/** A channel whose peer is in the hands of the test. */
export async function channelAndPeer({ capacity = CAPACITY } = {}) {
  const [here, socket] = pair();
  const [channel, peer] = await Promise.all([
    shareMemory(here, { bytes: CAPACITY }),
    rawPeer(socket, capacity),
  ]);
  return {
    channel,
    peer,
    socket,
    [Symbol.dispose]() {
      channel.close();
      socket.close();
    },
  };
}

/** Writes a record into the outgoing region, and its end into the tail. */
export function writeRecord(
  { outgoing }: RawPeer,
  at: number,
  length: number,
  kind: number,
  tail: number,
): void {
  outgoing[(HEADER + at) / 4] = length;
  outgoing[(HEADER + at) / 4 + 1] = kind;
  Atomics.store(outgoing, TAIL, tail);
}
