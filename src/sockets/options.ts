/** The options of sockets, in one table. */
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
  /** Kernel debugging (SO_DEBUG in socket(7)). Setting it requires CAP_NET_ADMIN. */
  debug: boolean;
  /**
   * The size of the send buffer in bytes (SO_SNDBUF in socket(7)). The kernel doubles it; `getOption` returns the
   * doubled value.
   */
  sendBufferSize: number;
  /**
   * The size of the receive buffer in bytes (SO_RCVBUF), doubled likewise. For AF_UNIX, only the sender's buffer has an
   * effect.
   */
  receiveBufferSize: number;
  /** How to report zero-length messages: `'eof'` (default) or `'deliver'`. */
  emptyMessages: EmptyMessages;
  /**
   * Whether each `Message` has the credentials of its sender (SO_PASSCRED in unix(7)). Linux then binds an unnamed
   * socket to an abstract name when it next sends. Messages sent before the option was set may have credentials of no
   * process.
   */
  passCredentials: boolean;
  /**
   * How long a receive polls for a message before it waits, in microseconds: 0 to 1,000,000; 0 by default. A message
   * that arrives within that time needs no turn of the event loop and no wakeup of the CPU. Each receive that has to
   * wait uses the CPU for that time, and blocks the event loop of this thread.
   */
  busyPoll: number;
}

/** The options that can be read from a socket. */
export interface SocketOptions extends SettableSocketOptions {
  /** The credentials of the peer, verified by the kernel (SO_PEERCRED and SO_PEERGROUPS); `ENOTCONN` without a peer. */
  remoteCredentials: PeerCredentials;
  /** The security label of the peer, from a Linux security module (SO_PEERSEC); `ENOPROTOOPT` without one. */
  remoteSecurityLabel: string;
  /**
   * A pidfd of the peer (SO_PEERPIDFD, since Linux 6.5). It continues to refer to the same process even if the pid is
   * reused (pidfd_open(2)). The caller must close it.
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

/** An option of all objects that have a queue of receives. */
export const BUSY_POLL: Option<Pick<Session, 'receives'>, number> = {
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
