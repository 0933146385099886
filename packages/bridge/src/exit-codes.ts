/** The exit codes of the command: those of `seqpacket`. */
export const EXIT = {
  success: 0,
  /** No connection to NATS, or it was lost for good. */
  failure: 1,
  /** An invalid command line. */
  usage: 2,
  hungUp: 128 + 1,
  interrupted: 128 + 2,
  terminated: 128 + 15,
} as const;
