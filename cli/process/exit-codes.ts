/** The exit codes of the command; docs/cli.md has the same table. */
export const EXIT = {
  success: 0,
  /** Not connected, connection lost, a different answer, nothing found. */
  failure: 1,
  /** An invalid command line. */
  usage: 2,
  /** `--timeout` expired; the exit code of timeout(1). */
  timeout: 124,
  hungUp: 128 + 1,
  interrupted: 128 + 2,
  brokenPipe: 128 + 13,
  terminated: 128 + 15,
} as const;
