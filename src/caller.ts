/** Errors with a stack that begins at the line that called the library. */
import { basename, dirname, sep } from 'node:path';

/**
 * The directory of the library, which identifies its stack frames. Undefined in a bundle, where the frames of the
 * program are in the same file. Undefined in Bun, which prints the frames that it recorded itself.
 */
const LIBRARY_DIRECTORY = libraryDirectory();

function libraryDirectory(): string | undefined {
  if (typeof __filename === 'undefined' || basename(__filename) !== 'caller.js') return undefined;
  return 'bun' in process.versions ? undefined : dirname(__filename) + sep;
}

/** The maximum number of the library's frames above the caller's frame. */
const MAX_LIBRARY_FRAMES = 15;

const FRAME = /^ {4}at /;

/** A frame of Node.js, or of a built-in function such as `new Promise`. */
const BUILT_IN = /\((?:<anonymous>|node:.*)\)$|^ {4}at node:|<anonymous>$/;

/** The number of frames of an error that is made while the caller is not on the stack. All of them are the library's. */
const FRAMES_WITHOUT_CALLER = 1;

/** Whether the caller of the operation may be on the stack. It is not while an operation that has waited is tried. */
export const caller = { mayBeOnStack: true };

/**
 * Makes an error with a stack that begins at the caller's line. The caller is on the stack if the call fails before it
 * returns, and in a promise that it returns already rejected. The cost is low, because the stack is converted to text
 * only when it is read. An error made from the event loop has few frames, because recording them costs tens of
 * microseconds.
 */
export function fromCaller<E extends Error>(make: () => E): E {
  if (LIBRARY_DIRECTORY === undefined) return make();
  const limit = Error.stackTraceLimit;
  if (typeof limit !== 'number' || limit <= 0 || !Reflect.set(Error, 'stackTraceLimit', 0)) return make();
  if (!caller.mayBeOnStack) return withFrames(Math.min(limit, FRAMES_WITHOUT_CALLER), limit, make);
  const trace: { stack?: string } = {};
  let error: E;
  try {
    // Without a stack of its own, which would be replaced below.
    error = make();
    Error.stackTraceLimit = limit + MAX_LIBRARY_FRAMES;
    Error.captureStackTrace(trace, fromCaller);
  } finally {
    Error.stackTraceLimit = limit;
  }
  const define = (descriptor: PropertyDescriptor) =>
    Object.defineProperty(error, 'stack', { configurable: true, enumerable: false, ...descriptor });
  const text = `${error}`;
  return define({
    get: () => {
      const stack = [text, ...framesOfCaller(trace.stack ?? '', limit)].join('\n');
      define({ value: stack, writable: true });
      return stack;
    },
    set: (stack) => define({ value: stack, writable: true }),
  });
}

/** Makes an error with at most this number of frames, and restores the limit. */
function withFrames<E extends Error>(frames: number, limit: number, make: () => E): E {
  Error.stackTraceLimit = frames;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function framesOfCaller(stack: string, limit: number): string[] {
  const frames = stack.split('\n').filter((line) => FRAME.test(line));
  const isCallers = (line: string) => !line.includes(LIBRARY_DIRECTORY as string) && !BUILT_IN.test(line);
  const first = frames.findIndex(isCallers);
  return frames.slice(Math.max(first, 0)).slice(0, limit);
}
