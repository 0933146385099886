import { spawnSync } from 'node:child_process';

/**
 * The reason to skip a test that needs a program which this machine lacks; `false` if it is there. In CI
 * it has to be there: the test then runs, and fails.
 */
export function missing(program: string): string | false {
  if (process.env['CI'] !== undefined) return false;
  const { status } = spawnSync('sh', ['-c', `command -v ${program}`]);
  return status === 0 ? false : `${program} is not installed`;
}

/**
 * The environment for programs that shall not be watched by the sanitizers, which would find fault with them: see
 * scripts/test.mjs.
 */
export function unsanitizedEnvironment(): NodeJS.ProcessEnv {
  const { LD_PRELOAD: _, ...environment } = process.env;
  return process.env['SEQPACKET_SANITIZED'] === undefined ? process.env : environment;
}
