/** Errors whose stack begins at the line of the program that called the library. */
import { basename, dirname, sep } from 'node:path';

/**
 * What the frames of the library have in common: its directory. None in a bundle, in which the frames of the program
 * are in the same file. None in Bun either, which prints the frames that it recorded itself.
 */
const OWN_DIRECTORY = ownDirectory();

function ownDirectory(): string | undefined {
  if (typeof __filename === 'undefined' || basename(__filename) !== 'caller.js') return undefined;
  return 'bun' in process.versions ? undefined : dirname(__filename) + sep;
}

/** How many frames of the library there may be above the caller's. */
const OWN_FRAMES = 15;

const FRAME = /^ {4}at /;

/** A frame that says nothing about the program: of Node.js, or of a built-in function such as `new Promise`. */
const BUILT_IN = /\((?:<anonymous>|node:.*)\)$|^ {4}at node:|<anonymous>$/;

/**
 * An error that is made now, with a stack that begins at the caller's line where the caller is on the stack: that is
 * so in what fails before the call returns, and in promises that such a call rejects. In what is made from the event
 * loop the stack stays as it is. Cheap: the stack is turned into text when it is read.
 */
export function fromCaller<E extends Error>(make: () => E): E {
  if (OWN_DIRECTORY === undefined) return make();
  const limit = Error.stackTraceLimit;
  if (typeof limit !== 'number' || limit <= 0 || !Reflect.set(Error, 'stackTraceLimit', 0)) return make();
  const trace: { stack?: string } = {};
  let error: E;
  try {
    // The stack of the error itself would be recorded in vain.
    error = make();
    Error.stackTraceLimit = limit + OWN_FRAMES;
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

function framesOfCaller(stack: string, limit: number): string[] {
  const frames = stack.split('\n').filter((line) => FRAME.test(line));
  const isCallers = (line: string) => !line.includes(OWN_DIRECTORY as string) && !BUILT_IN.test(line);
  const first = frames.findIndex(isCallers);
  return frames.slice(Math.max(first, 0)).slice(0, limit);
}
