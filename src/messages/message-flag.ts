import { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC } from '../system/linux';

/** Flags for receiving and sending, with the values of recvmsg(2) and sendmsg(2). Combine them with `|`. */
export const MessageFlag = Object.freeze({
  /** Receive: leave the message in the queue. The next receive returns it again (MSG_PEEK). */
  peek: MSG_PEEK,
  /** Receive or send: reject with `EAGAIN` instead of waiting (MSG_DONTWAIT). */
  dontWait: MSG_DONTWAIT,
  /**
   * Receive: return the length of the whole message in bytes, even if the buffer is shorter, and discard the rest
   * (MSG_TRUNC). Together with `peek`, this returns the length of the next message.
   */
  truncate: MSG_TRUNC,
} as const);
