/**
 * The timers of the runtime, captured when the library is loaded. Test frameworks can replace the global timers with
 * fake ones, which would stop the operations of real sockets.
 */
import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

export const { setImmediate, setTimeout, clearTimeout } = timers;
export const { queueMicrotask } = globalThis;

/** The monotonic time in milliseconds. */
export const now: () => number = performance.now.bind(performance);
