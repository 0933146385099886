/** The request to stop: a signal, or standard output whose reader has closed it. */
import { setMaxListeners } from 'node:events';
import { EXIT } from './exit-codes.js';

const controller = new AbortController();
let code: number = EXIT.success;

// One listener for each connection.
setMaxListeners(0, controller.signal);

/** Aborted when the process is to stop. */
export const stopSignal: AbortSignal = controller.signal;

export function stop(exitCode: number): void {
  if (stopSignal.aborted) return;
  code = exitCode;
  controller.abort();
}

/** @param isEndless whether the command runs until it is stopped: stopping it is then a success */
export function exitCodeOfStop(isEndless: boolean): number {
  return isEndless && code !== EXIT.brokenPipe ? EXIT.success : code;
}

/** Calls back when the process is to stop; immediately if the request has been made already. */
export function onStop(callback: () => void): void {
  if (stopSignal.aborted) callback();
  else stopSignal.addEventListener('abort', callback, { once: true });
}

export function offStop(callback: () => void): void {
  stopSignal.removeEventListener('abort', callback);
}

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hungUp } as const;

export function stopOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // The second signal ends the process without cleanup.
      if (stopSignal.aborted) killSelf(signal);
      stop(exitCode);
    });
  }
}

/** Unlike `process.exit()`, does not wait for threads: one may be blocked in open(2) of a named pipe. */
function killSelf(signal: string): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Resolves after the time, or earlier if the process is to stop. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      offStop(done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    onStop(done);
  });
}
