/** The end before the end: signals, and a reader of standard output that went away. */
import { setMaxListeners } from 'node:events';
import { EXIT } from './exit-codes.js';

const controller = new AbortController();
let code: number = EXIT.success;

// Each connection is one.
setMaxListeners(0, controller.signal);

/** Aborted when everything shall be brought to its end. */
export const stopped: AbortSignal = controller.signal;

export function stop(exitCode: number): void {
  if (stopped.aborted) return;
  code = exitCode;
  controller.abort();
}

/** What to exit with after a stop; a command that goes on until it is stopped has then done its work. */
export function exitCodeOfStop(isEndless: boolean): number {
  return isEndless && code !== EXIT.brokenPipe ? EXIT.success : code;
}

/** Calls back when everything shall end, also if that was before. */
export function onStop(callback: () => void): void {
  if (stopped.aborted) callback();
  else stopped.addEventListener('abort', callback, { once: true });
}

export function offStop(callback: () => void): void {
  stopped.removeEventListener('abort', callback);
}

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: 128 + 1 } as const;

export function stopOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // Who asks twice does not want to wait for the cleaning.
      if (stopped.aborted) dieOf(signal);
      stop(exitCode);
    });
  }
}

/** Not `process.exit()`, which waits for threads: one may be opening a pipe that nobody else opens. */
function dieOf(signal: string): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Waits, but not beyond the stop. */
export function pause(milliseconds: number): Promise<void> {
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
