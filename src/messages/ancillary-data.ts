/**
 * Ancillary data: the control messages that accompany a message (cmsg(3), unix(7)).
 *
 * A control block is the format that the operating system layer reads and writes. It begins with four 32-bit numbers:
 * the length of the control messages in bytes, the flags returned by recvmsg(2), the total length of the parts in
 * bytes, and an unused one. The control messages follow. Each is a cmsghdr (64-bit length, 32-bit level, 32-bit type)
 * and its data, aligned to 8 bytes.
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

/** The decoded ancillary data of one message. The receiver owns the descriptors. */
export interface AncillaryData {
  readonly fds: readonly number[];
  /** The credentials of the sender; only with SO_PASSCRED. */
  readonly credentials: Credentials | undefined;
  /** Whether the kernel discarded some of the ancillary data (MSG_CTRUNC). */
  readonly truncated: boolean;
  /** Whether there was any control message, including unknown ones. */
  readonly present: boolean;
  /** Whether the message was longer than the parts and the overflow area, and was therefore truncated (MSG_TRUNC). */
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
 * The control block for receiving. It has room for all ancillary data of Linux: 253 descriptors (1,032 bytes), a time
 * stamp, credentials, a pidfd, and a security label of up to one page.
 */
const incoming = new Int32Array(2048);

/** Room for control messages in bytes, if the descriptors may be delivered. */
export const ROOM_FOR_ALL: number = incoming.byteLength - 4 * BLOCK_HEADER_WORDS;

/**
 * Room for a time stamp and credentials, if no descriptors are delivered. The kernel then closes nearly all
 * descriptors. That costs a tenth of installing them and closing them here.
 */
export const ROOM_FOR_CREDENTIALS = 64;

/** Room for data alone: enough to detect that there was a control message. */
export const ROOM_FOR_MARK = 16;

/** Room for each message of a batch: all ancillary data except a security label. */
export const ROOM_IN_BATCH = 1280;

let isRegistered = false;

/** Registers the control block, which every receive of this thread fills in. */
export function registerControlBlock(): void {
  if (isRegistered) return;
  os.controlBlock(new Uint8Array(incoming.buffer));
  isRegistered = true;
}

/**
 * Decodes the ancillary data of the last receive, and clears the control block. A second call returns no data, so that
 * no descriptor has two owners.
 */
export function decodeAncillaryData(): AncillaryData {
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
      // Present only if another owner of the socket has set SO_PASSPIDFD. The library does not set it.
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

/** The control block for sending, with one SCM_RIGHTS message. */
const outgoing = new Int32Array(BLOCK_HEADER_WORDS + MESSAGE_HEADER_WORDS + SCM_MAX_FD + 1);
const outgoingBytes = new Uint8Array(outgoing.buffer);
outgoing[BLOCK_HEADER_WORDS + 2] = SOL_SOCKET;
outgoing[BLOCK_HEADER_WORDS + 3] = SCM_RIGHTS;

/**
 * Encodes a control block with one SCM_RIGHTS message; null without descriptors. It is valid until the next call.
 */
export function encodeDescriptors(fds: readonly number[]): Uint8Array | null {
  if (fds.length === 0) return null;
  if (fds.length > SCM_MAX_FD) throw new RangeError(`${fds.length} descriptors`);
  const bytes = MESSAGE_HEADER_BYTES + 4 * fds.length;
  outgoing[0] = ((bytes + 7) >> 3) << 3;
  outgoing[BLOCK_HEADER_WORDS] = bytes;
  for (let i = 0; i < fds.length; i++) {
    outgoing[BLOCK_HEADER_WORDS + MESSAGE_HEADER_WORDS + i] = fds[i] as number;
  }
  return outgoingBytes;
}

/**
 * The total length of the parts of the last receive, in bytes, at the time of the system call. Shared memory may have
 * grown since then.
 */
export function roomOfLastReceive(): number {
  return incoming[2] as number;
}

/**
 * Closes received descriptors that were not requested. Errors of close(2) are ignored, because no caller can handle
 * them.
 */
export function closeDescriptors({ fds }: AncillaryData): void {
  for (const fd of fds) os.close(fd);
}
