/**
 * Turns of the event loop: how long operations may complete at once before timers and other sockets are served.
 *
 * All operations of a thread share one time slice in each turn. What they consume is counted in units, and the
 * clock is read once in several units: reading it costs 65 ns, a twentieth of a short message.
 */
import { now, setImmediate } from '../system/timers';

/** How long operations complete at once in one turn, in milliseconds. */
const SLICE_MS = 1;

/** How many units are consumed between two looks at the clock. A try of an operation is one unit. */
const UNITS_PER_READING = 12;

/** How many bytes of a message are a unit. To copy them takes about as long as a system call. */
const BYTES_PER_UNIT_SHIFT = 13;

let unitsLeft = UNITS_PER_READING;
/** When the slice ends; 0 before the first look at the clock in this turn. */
let sliceEnd = 0;
let isOver = false;

/** The number of the turn, as the back end reports it; 0 where it is not known. */
let reportedTurn = 0;

/** Begins a turn with a new time slice. */
function beginTurn(): void {
  unitsLeft = UNITS_PER_READING;
  sliceEnd = 0;
  isOver = false;
}

/** The back end reports something, in the turn of this number (see `onReady` in os.ts). */
export function noteTurn(turn: number): void {
  if (turn === reportedTurn) return;
  reportedTurn = turn;
  beginTurn();
}

/** Whether an operation may be tried in this turn. */
export function hasTime(): boolean {
  if (--unitsLeft >= 0) return true;
  return readClock();
}

function readClock(): boolean {
  if (!isOver) checkTime(now());
  if (isOver) return false;
  unitsLeft = UNITS_PER_READING - 1;
  return true;
}

/** Ends the slice if it is that late. */
export function checkTime(time: number): void {
  if (sliceEnd === 0) {
    sliceEnd = time + SLICE_MS;
    // What comes next may be in another turn, without any report.
    setImmediate(beginTurn);
  }
  if (time < sliceEnd) return;
  isOver = true;
  unitsLeft = 0;
}

/** Counts what a message has cost besides its system call. */
export function charge(bytes: number, descriptors: number): void {
  unitsLeft -= (bytes >> BYTES_PER_UNIT_SHIFT) + descriptors;
}

/** What goes on in a later turn. */
export interface Deferred {
  proceed(): void;
}

let deferred: Deferred[] = [];

/** Calls `proceed()` in a later turn, after all that were deferred before. */
export function deferToNextTurn(work: Deferred): void {
  deferred.push(work);
  if (deferred.length === 1) setImmediate(proceedDeferred);
}

function proceedDeferred(): void {
  const works = deferred;
  deferred = [];
  let done = 0;
  beginTurn();
  try {
    while (done < works.length && hasTime()) (works[done++] as Deferred).proceed();
  } finally {
    if (done < works.length) {
      if (deferred.length === 0) setImmediate(proceedDeferred);
      deferred = [...works.slice(done), ...deferred];
    }
  }
}

/** A promise that rejects: now, or in a later turn if this one's time is over. A loop of failures is a flood too. */
export function rejection(error: unknown): Promise<never> {
  if (hasTime()) return Promise.reject(error);
  return new Promise((_, reject) => deferToNextTurn({ proceed: () => reject(error) }));
}
