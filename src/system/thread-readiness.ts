/** Readiness where the event loop is not libuv's: a thread of the C layer (`thread-readiness.c`) reports it. */

import type { OperatingSystem } from './operating-system';
import { queueMicrotask } from './timers';

/** The C layer has both kinds of readiness. */
export interface Addon extends OperatingSystem {
  threadPollOpen: OperatingSystem['pollOpen'];
  threadPollWatch: OperatingSystem['pollWatch'];
  threadPollRef: OperatingSystem['pollRef'];
  threadPollClose: OperatingSystem['pollClose'];
}

/**
 * By what the runtime says it is: Bun has functions of libuv's names that end the process, and Deno has none.
 * Tests try the thread on Node.js too, with SEQPACKET_READINESS=thread.
 */
export function runsWithoutLibuv(): boolean {
  if ('bun' in process.versions || 'Deno' in globalThis) return true;
  return process.env['SEQPACKET_READINESS'] === 'thread';
}

export function withThread(addon: Addon): OperatingSystem {
  return {
    ...addon,
    onReady: (callback, report) => addon.onReady(throwLater(callback), report),
    pollOpen: addon.threadPollOpen,
    pollWatch: addon.threadPollWatch,
    pollRef: addon.threadPollRef,
    pollClose: addon.threadPollClose,
  };
}

/** What is thrown in a threadsafe function's callback is swallowed by Node.js, and stops Deno. */
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
