/** Messages as the command handles them, in each direction. */
import type { Message } from 'seqpacket';
import type { Description } from '../kernel/descriptors.js';

/** A message to be sent. */
export interface Outgoing {
  data: Buffer;
  /** Descriptors to pass: the names of files to open, and numbers of open descriptors. */
  fds: (string | number)[];
  /** The only connection to send it to; undefined: all. */
  connection?: number | undefined;
}

/** When and on which connection an event occurred. */
export interface EventOrigin {
  /** Microseconds since 1970. */
  time: number;
  connection: number;
}

/** A message that was received. */
export interface Incoming extends EventOrigin {
  message: Message;
  descriptions: Description[];
}
