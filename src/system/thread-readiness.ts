/** Readiness for runtimes without libuv, reported by a thread of the C layer (`thread-readiness.c`). */

import type { OperatingSystem } from './operating-system';
import { queueMicrotask } from './timers';

/** The C layer, with both implementations of readiness. */
export interface Addon extends OperatingSystem {
  threadPollOpen: OperatingSystem['pollOpen'];
  threadPollWatch: OperatingSystem['pollWatch'];
  threadPollRef: OperatingSystem['pollRef'];
  threadPollClose: OperatingSystem['pollClose'];
}

/**
 * Whether the runtime has no usable libuv. The runtime is identified by its globals, because Bun has functions with the
 * names of libuv's that abort the process. Tests use the thread on Node.js with SEQPACKET_READINESS=thread.
 */
export function runsWithoutLibuv(): boolean {
  if ('bun' in process.versions || 'Deno' in globalThis) return true;
  return process.env['SEQPACKET_READINESS'] === 'thread';
}

export function withThreadReadiness(addon: Addon): OperatingSystem {
  return {
    ...addon,
    onReady: (callback, report) => addon.onReady(throwLater(callback), report),
    pollOpen: addon.threadPollOpen,
    pollWatch: addon.threadPollWatch,
    pollRef: addon.threadPollRef,
    pollClose: addon.threadPollClose,
  };
}

/**
 * Rethrows in a microtask. An error in the callback of a threadsafe function is ignored by Node.js, and terminates
 * Deno.
 */
function throwLater(callback: (fd: number, events: number) => boolean): typeof callback {
  return (fd, events) => {
    try {
      return callback(fd, events);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return true;
    }
  };
}
