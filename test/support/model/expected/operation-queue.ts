import assert from 'node:assert/strict';
import type { Operation } from './operation.js';
import { failed } from './outcome.js';

/** The operations of one kind on one endpoint: served, and settling, in their order. */
export class OperationQueue {
  waiting: Operation[] = [];
  #place = 0;

  start(operation: Operation): void {
    if (operation.ticket.outcome === undefined) {
      // It has to wait, or it has used up the turn of the event loop: then it is owed.
      operation.hold();
      this.waiting.push(operation);
      while (this.serveFirst());
      return;
    }
    if (this.waiting.length > 0 && operation.isRefused) return;
    assert.equal(this.waiting.length, 0, `${operation.syscall} settled ahead of those that wait`);
    const expected = operation.attempt();
    assert.deepEqual(operation.ticket.outcome, expected ?? 'has to wait');
    this.#settled(operation);
  }

  /** Removes the first operation if it has settled as the model expects. */
  serveFirst(): boolean {
    this.#removeRefused();
    const [first] = this.waiting;
    if (first === undefined) return false;
    if (first.advance()) return true;
    if (first.ticket.outcome === undefined) return false;
    const expected = first.attempt();
    if (expected === undefined) return false;
    assert.deepEqual(first.ticket.outcome, expected);
    this.waiting.shift();
    this.#settled(first);
    return true;
  }

  /** Removes completed operations, and applies the completed part of one that is unfinished. */
  serveSent(): void {
    for (let [first] = this.waiting; first !== undefined; [first] = this.waiting) {
      if (first.advance()) continue;
      const { outcome } = first.ticket;
      // Only sends that found the direction shut down come after the shutdown.
      const isAfter =
        outcome !== undefined && 'error' in outcome && outcome.error.startsWith('sendmsg EPIPE');
      if (outcome === undefined || isAfter || !this.serveFirst()) return;
    }
  }

  get owed(): Operation | undefined {
    const [first] = this.waiting;
    if (first?.isOwed || first?.isImpatient) return first;
    return this.waiting.find((each) => each.mayNotWait);
  }

  #removeRefused(): void {
    this.waiting = this.waiting.filter((each, index) => index === 0 || !each.isRefused);
  }

  cancel(): void {
    this.#removeRefused();
    for (const operation of this.waiting) {
      assert.deepEqual(operation.ticket.outcome, failed(operation.cancellation));
      this.#settled(operation);
    }
    this.waiting = [];
  }

  abort(signal: AbortSignal): void {
    this.#removeRefused();
    for (const each of this.waiting.filter((operation) => operation.signal === signal)) {
      assert.deepEqual(each.ticket.outcome, failed(`ABORT_ERR: ${signal.reason}${each.suffix}`));
    }
    const [first] = this.waiting;
    this.waiting = this.waiting.filter((each) => each.signal !== signal);
    if (this.waiting[0] !== first) this.retry();
  }

  /** Records that the first operation is tried, if not at once, then in the next turn. */
  retry(): void {
    this.waiting[0]?.retry();
  }

  #settled({ syscall, ticket }: Operation): void {
    assert.ok(ticket.place > this.#place, `${syscall} settled ahead of an earlier one`);
    this.#place = ticket.place;
  }
}
