/**
 * The runtime's timers, as they were when the library was loaded. Test frameworks replace the global ones by
 * fake timers, which would stop the traffic of a real socket.
 */
import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

export const { setImmediate, setTimeout, clearTimeout } = timers;
export const { queueMicrotask } = globalThis;

/** Milliseconds, monotonic. */
export const now: () => number = performance.now.bind(performance);
