/** The options of sockets, in one table for getting and setting. */
import { checkInteger } from '../arguments';
import type { FileDescriptor } from '../descriptors/file-descriptor';
import { checkEmptyMessages, type EmptyMessages } from '../messages/empty-messages';
import type { PeerCredentials } from '../system/peer-credentials';
import {
  DEBUG,
  type Option,
  PASS_CREDENTIALS,
  RECEIVE_BUFFER_SIZE,
  REMOTE_CREDENTIALS,
  REMOTE_PIDFD,
  REMOTE_SECURITY_LABEL,
  SEND_BUFFER_SIZE,
} from './option-table';
import type { Session } from './session';

/** The options that can be set on a socket. */
export interface SettableSocketOptions {
  /** Kernel debugging (SO_DEBUG in socket(7)); setting it needs CAP_NET_ADMIN. */
  debug: boolean;
  /** Bytes (SO_SNDBUF). The kernel doubles what is set, and `getOption` returns the doubled value. */
  sendBufferSize: number;
  /** Bytes (SO_RCVBUF), doubled likewise. For AF_UNIX the sender's buffer is what counts. */
  receiveBufferSize: number;
  /** How to report zero-length messages: `'eof'` (default) or `'deliver'`. */
  emptyMessages: EmptyMessages;
  /**
   * Whether each `Message` carries its sender's credentials (SO_PASSCRED). Linux then gives the socket an
   * abstract name when it next sends. Messages that were sent before may carry credentials of no process.
   */
  passCredentials: boolean;
  /**
   * For how many microseconds a receive that finds nothing tries again before it waits, 0 to 1,000,000; 0 by
   * default. A message that comes in that time costs no way through the event loop and no sleep of the CPU. It
   * costs that time of a CPU for each receive that has to wait, and nothing else runs in this thread meanwhile.
   */
  busyPoll: number;
}

/** The options that can be read from a socket. */
export interface SocketOptions extends SettableSocketOptions {
  remoteCredentials: PeerCredentials;
  /** The label that a Linux security module gave the peer (SO_PEERSEC); `ENOPROTOOPT` without one. */
  remoteSecurityLabel: string;
  /**
   * A pidfd of the peer (SO_PEERPIDFD, Linux 6.5), which stays that process's even when its pid is given to
   * another: pidfd_open(2). The caller must close it.
   */
  remotePidFd: FileDescriptor;
}

/** One second, in microseconds. A longer time would be a mistake: it blocks the event loop. */
const LONGEST_BUSY_POLL = 1_000_000;

const EMPTY_MESSAGES: Option<Session, EmptyMessages> = {
  get: ({ receiver }) => receiver.emptyMessages,
  set: {
    check: (value) => checkEmptyMessages(value, 'value'),
    apply: ({ receiver }, value) => {
      receiver.emptyMessages = value;
    },
  },
};

const BUSY_POLL: Option<Session, number> = {
  get: ({ receives }) => Math.round(1000 * receives.spin),
  set: {
    check: (value) => checkInteger(value, 'value', 0, LONGEST_BUSY_POLL),
    apply: ({ receives }, value) => {
      receives.spin = value / 1000;
    },
  },
};

export const SOCKET_OPTIONS = {
  debug: DEBUG,
  sendBufferSize: SEND_BUFFER_SIZE,
  receiveBufferSize: RECEIVE_BUFFER_SIZE,
  remoteCredentials: REMOTE_CREDENTIALS,
  remoteSecurityLabel: REMOTE_SECURITY_LABEL,
  emptyMessages: EMPTY_MESSAGES,
  passCredentials: PASS_CREDENTIALS,
  busyPoll: BUSY_POLL,
  remotePidFd: REMOTE_PIDFD,
} as const;
