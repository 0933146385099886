/**
 * Turns of the event loop. In each turn, operations complete at once during one time slice; then timers and other
 * sockets are served.
 *
 * All operations of a thread share the time slice. Their cost is counted in units, and the clock is read once in
 * several units. Reading the clock costs 65 ns, a twentieth of the cost of a short message.
 */
import { now, setImmediate } from '../system/timers';

/** The length of the time slice in one turn, in milliseconds. */
const SLICE_MS = 1;

/** The number of units between two readings of the clock. A try of an operation costs one unit. */
const UNITS_PER_READING = 12;

/** The number of bytes in a unit, as a power of 2. Copying them takes about as long as a system call. */
const BYTES_PER_UNIT_SHIFT = 13;

let unitsLeft = UNITS_PER_READING;
/** The end of the time slice, in milliseconds; 0 before the first reading of the clock in this turn. */
let sliceEnd = 0;
let isOver = false;

/** The number of the turn, as reported by the back end; 0 if unknown. */
let reportedTurn = 0;

/** Begins a turn with a new time slice. */
function beginTurn(): void {
  unitsLeft = UNITS_PER_READING;
  sliceEnd = 0;
  isOver = false;
}

/** Begins a new time slice if the back end reports a new turn (see `onReady` in operating-system.ts). */
export function recordTurn(turn: number): void {
  if (turn === reportedTurn) return;
  reportedTurn = turn;
  beginTurn();
}

/** Whether an operation may be tried in this turn. Counts the try. */
export function hasTime(): boolean {
  if (--unitsLeft >= 0) return true;
  return readClock();
}

function readClock(): boolean {
  if (!isOver) updateSlice(now());
  if (isOver) return false;
  unitsLeft = UNITS_PER_READING - 1;
  return true;
}

/** Ends the time slice if the time is past its end. The first reading in a turn begins the slice. */
export function updateSlice(time: number): void {
  if (sliceEnd === 0) {
    sliceEnd = time + SLICE_MS;
    // The next operation may be in a later turn that the back end does not report.
    setImmediate(beginTurn);
  }
  if (time < sliceEnd) return;
  isOver = true;
  unitsLeft = 0;
}

/** Counts the cost of a message in addition to its system call. */
export function charge(bytes: number, descriptors: number): void {
  unitsLeft -= (bytes >> BYTES_PER_UNIT_SHIFT) + descriptors;
}

/** Work that continues in a later turn. */
export interface Deferred {
  proceed(): void;
}

let deferred: Deferred[] = [];

/** Calls `proceed()` in a later turn, after the work that was deferred before. */
export function deferToNextTurn(work: Deferred): void {
  deferred.push(work);
  if (deferred.length === 1) setImmediate(proceedDeferred);
}

function proceedDeferred(): void {
  const pending = deferred;
  deferred = [];
  let done = 0;
  beginTurn();
  try {
    while (done < pending.length && hasTime()) (pending[done++] as Deferred).proceed();
  } finally {
    if (done < pending.length) {
      if (deferred.length === 0) setImmediate(proceedDeferred);
      deferred = [...pending.slice(done), ...deferred];
    }
  }
}

/**
 * Returns a promise that rejects at once, or in a later turn if the time slice is over. Without this, a loop of failing
 * calls would starve the event loop.
 */
export function rejection(error: unknown): Promise<never> {
  if (hasTime()) return Promise.reject(error);
  return new Promise((_, reject) => deferToNextTurn({ proceed: () => reject(error) }));
}
