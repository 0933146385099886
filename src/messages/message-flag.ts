import { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC } from '../system/linux';

/** Flags for receiving and sending: those of recvmsg(2) and sendmsg(2), by their own values. */
export const MessageFlag = Object.freeze({
  /** Receive: leave the message in the queue; the next receive gets it again. */
  peek: MSG_PEEK,
  /** Receive or send: reject with `EAGAIN` where the operation would wait. */
  dontWait: MSG_DONTWAIT,
  /**
   * Receive: return the length of the whole message, even if the buffer is shorter, and let the rest
   * of it go. Together with `peek` this returns the length of the next message.
   */
  truncate: MSG_TRUNC,
} as const);
