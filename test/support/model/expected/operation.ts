import assert from 'node:assert/strict';
import { isError, type Outcome } from './outcome.js';

/** What became of one promise. */
export class Ticket {
  outcome: Outcome | undefined;
  /** What it was fulfilled with. */
  result: unknown;
  /** The how-manieth of all promises it was to settle. */
  place = 0;
  /** What it has to come to, if that is known from the start; the event loop may have to turn first. */
  expected: Outcome | undefined;

  expect(outcome: Outcome): void {
    this.expected = outcome;
    this.check();
  }

  check(): void {
    if (this.expected !== undefined && this.outcome !== undefined) {
      assert.deepEqual(this.outcome, this.expected);
    }
  }
}

/** An operation that was called. */
export abstract class Operation {
  /** The files of which it owns duplicates while it waits. */
  held: readonly number[] = [];

  constructor(
    readonly syscall: string,
    readonly ticket: Ticket,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** What it comes to, and its effects; undefined if it has to wait. It has settled: the model may learn from that. */
  abstract attempt(): Outcome | undefined;

  /** Whether it has to settle once the event loop has turned, being the first in its queue. */
  abstract get isOwed(): boolean;

  /** Whether it has to settle as soon as it is the first in its queue, whatever that comes to. */
  get isImpatient(): boolean {
    return false;
  }

  /** Whether it is refused with EAGAIN where it would have to wait. */
  get mayNotWait(): boolean {
    return false;
  }

  /** Whether it would have to wait for another call of this thread. */
  get isHeldUp(): boolean {
    return false;
  }

  /** Whether it was refused, because one before it waits. */
  get isRefused(): boolean {
    return this.mayNotWait && isError(this.ticket.outcome, `${this.syscall} EAGAIN${this.suffix}`);
  }

  /** Lets the model catch up by one step of an operation that takes several. */
  advance(): boolean {
    return false;
  }

  /** Whether it fetches several messages, and holds those from a message of this length on. */
  splitsAt(_length: number): boolean {
    return false;
  }

  /** The error if it is cancelled. */
  get cancellation(): string {
    return `${this.syscall} ECANCELED${this.suffix}`;
  }

  /** The part of an error that reports work done before it. */
  get suffix(): string {
    return '';
  }

  /** Called when it is tried for another reason than that it may have become possible. */
  retry(): void {}

  /** Called when it begins to wait. */
  hold(): void {}
}
