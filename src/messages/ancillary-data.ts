/**
 * Ancillary data: the control messages that travel beside a message (cmsg(3), unix(7)).
 *
 * A control block is what the operating system layer reads and writes: four 32-bit numbers (how many
 * bytes of control messages there are, the flags that recvmsg(2) returned, how many bytes the parts had room for,
 * and none), then the control messages, each a cmsghdr (64-bit length, 32-bit level, 32-bit type) and its data, aligned to 8.
 */

import {
  MSG_CTRUNC,
  MSG_TRUNC,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_PIDFD,
  SCM_RIGHTS,
  SOL_SOCKET,
} from '../system/linux';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import { charge } from '../waiting/turn';

const BLOCK_HEADER_WORDS = 4;
const MESSAGE_HEADER_WORDS = 4;
const MESSAGE_HEADER_BYTES = 16;

/** What came with a message besides its data. The descriptors are the receiver's to close. */
export interface AncillaryData {
  readonly fds: readonly number[];
  /** The credentials of the sender; only with SO_PASSCRED. */
  readonly credentials: Credentials | undefined;
  /** Whether the kernel had to drop some of it (MSG_CTRUNC). */
  readonly truncated: boolean;
  /** Whether there was any, known to the library or not. */
  readonly present: boolean;
  /** Whether the message was longer than all the memory that it was offered, and has been cut (MSG_TRUNC). */
  readonly cut: boolean;
}

export const NO_ANCILLARY_DATA: AncillaryData = {
  fds: [],
  credentials: undefined,
  truncated: false,
  present: false,
  cut: false,
};

/**
 * Room for all that Linux attaches to a message: 253 descriptors (1,032 bytes), a time stamp,
 * credentials, a pidfd, and a security label of up to a page.
 */
const incoming = new Int32Array(2048);

/** How many bytes of control messages to receive, for a message whose descriptors may be wanted. */
export const ROOM_FOR_ALL: number = incoming.byteLength - 4 * BLOCK_HEADER_WORDS;

/**
 * The same for a message without descriptors: a time stamp and credentials. The kernel then closes nearly all
 * descriptors, which costs a tenth of installing and closing them here.
 */
export const ROOM_FOR_CREDENTIALS = 64;

/** The same for data alone: only whether there was a control message. */
export const ROOM_FOR_MARK = 16;

/** The same for a message of a batch: all but a security label. */
export const ROOM_IN_BATCH = 1280;

let isRegistered = false;

/** Registers the control block that every receive of this thread fills in. */
export function registerControlBlock(): void {
  if (isRegistered) return;
  os.controlBlock(new Uint8Array(incoming.buffer));
  isRegistered = true;
}

/**
 * Takes what the last receive has left in the control block: a second call returns nothing, so that no descriptor has
 * two owners.
 */
export function takeAncillaryData(): AncillaryData {
  const length = incoming[0] as number;
  const flags = incoming[1] as number;
  if (length === 0 && (flags & (MSG_CTRUNC | MSG_TRUNC)) === 0) return NO_ANCILLARY_DATA;

  incoming[0] = 0;
  incoming[1] = 0;
  const truncated = (flags & MSG_CTRUNC) !== 0;
  const fds: number[] = [];
  let credentials: Credentials | undefined;
  const end = BLOCK_HEADER_WORDS + (length >> 2);
  let at = BLOCK_HEADER_WORDS;
  while (at + MESSAGE_HEADER_WORDS <= end) {
    const bytes = incoming[at] as number;
    if (bytes < MESSAGE_HEADER_BYTES) break;
    const level = incoming[at + 2];
    const type = incoming[at + 3];
    const data = at + MESSAGE_HEADER_WORDS;
    if (level === SOL_SOCKET && type === SCM_RIGHTS) {
      const count = (bytes - MESSAGE_HEADER_BYTES) >> 2;
      for (let i = 0; i < count; i++) fds.push(incoming[data + i] as number);
    } else if (level === SOL_SOCKET && type === SCM_CREDENTIALS) {
      const [pid, uid, gid] = incoming.subarray(data, data + 3) as unknown as [number, number, number];
      credentials = { pid, uid: uid >>> 0, gid: gid >>> 0 };
    } else if (level === SOL_SOCKET && type === SCM_PIDFD) {
      // Present only if another owner of the socket set SO_PASSPIDFD; the library does not request it.
      const pidfd = incoming[data] as number;
      if (pidfd >= 0) os.close(pidfd);
    }
    at += ((bytes + 7) >> 3) << 1;
  }
  charge(0, fds.length);
  return {
    fds,
    credentials,
    truncated,
    present: length > 0 || truncated,
    cut: (flags & MSG_TRUNC) !== 0,
  };
}

/** A control block with one SCM_RIGHTS message; none for no descriptors. */
export function encodeDescriptors(fds: readonly number[]): Uint8Array | null {
  if (fds.length === 0) return null;
  if (fds.length > SCM_MAX_FD) throw new RangeError(`${fds.length} descriptors`);
  const bytes = MESSAGE_HEADER_BYTES + 4 * fds.length;
  const words = new Int32Array(BLOCK_HEADER_WORDS + (((bytes + 7) >> 3) << 1));
  words[0] = 4 * (words.length - BLOCK_HEADER_WORDS);
  words[BLOCK_HEADER_WORDS] = bytes;
  words[BLOCK_HEADER_WORDS + 2] = SOL_SOCKET;
  words[BLOCK_HEADER_WORDS + 3] = SCM_RIGHTS;
  words.set(fds, BLOCK_HEADER_WORDS + MESSAGE_HEADER_WORDS);
  return new Uint8Array(words.buffer);
}

/**
 * How many bytes the parts of the last receive had room for, as the system call saw them: memory that other threads
 * share may have grown since.
 */
export function roomOfLastReceive(): number {
  return incoming[2] as number;
}

/** Closes received descriptors that were not asked for. Errors of closing them concern no caller. */
export function closeDescriptors({ fds }: AncillaryData): void {
  for (const fd of fds) os.close(fd);
}
