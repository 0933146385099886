/** What the command ends with; docs/cli.md has the same table. */
export const EXIT = {
  success: 0,
  /** The peer was not reached, was lost, or answered otherwise; nothing was found. */
  failure: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** `--timeout` ran out, as timeout(1) says it. */
  timeout: 124,
  interrupted: 128 + 2,
  brokenPipe: 128 + 13,
  terminated: 128 + 15,
} as const;
