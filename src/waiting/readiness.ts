/** Readiness of descriptors: continues the waiting queues when the event loop reports a descriptor as ready. */
import { OwnedDescriptor } from '../descriptors/owned-descriptor';
import { systemError } from '../errors';
import { os } from '../system/os';
import { type Direction, READABLE, type Waker, WRITABLE } from './operation-queue';
import { recordTurn } from './turn';

/** The descriptors with waiting queues, by number. The reference prevents garbage collection while a queue waits. */
const waiting: (PolledDescriptor | undefined)[] = [];

/** The numbers of descriptors whose poll was stopped, because it reported readiness while no queue waited. */
const stopped = new Set<number>();

/** The bit in the reported directions by which the back end reports that the poll was stopped. */
const STOPPED = 0x10000;

/** See `onReady` in operating-system.ts. */
const report = new Int32Array(3);
let reported: PolledDescriptor | undefined;
let isListening = false;

/** Waits for readiness of a descriptor in a direction: a queue, or several that wait for the same reason. */
export interface Waiter {
  readonly direction: Direction;
  /** Called when the descriptor is ready. */
  proceed(): void;
}

/**
 * An owned descriptor that can be polled for readiness. Its poll handle is created on first use, and keeps the event
 * loop alive only while a queue waits. Beginning and ending to watch costs system calls, so that a direction stays
 * watched until it is reported as ready while its queue does not wait.
 */
export class PolledDescriptor extends OwnedDescriptor implements Waker {
  #isPolled = false;
  /** The watched directions. */
  #watched = 0;
  /** The waiting queues, at most one for each direction. */
  #readers: Waiter | undefined;
  #writers: Waiter | undefined;
  #keepsLoopAlive = true;

  wait(queue: Waiter): void {
    if (!this.#isPolled) this.#openPoll();
    if (stopped.size > 0 && stopped.delete(this.fd)) this.#watched = 0;
    this.#watch(this.#watched | queue.direction);
    const wasIdle = this.#isIdle;
    if (queue.direction === READABLE) this.#readers = queue;
    else this.#writers = queue;
    if (!wasIdle) return;
    waiting[this.fd] = this;
    if (this.#keepsLoopAlive) this.#keepLoopAlive(true);
  }

  leave(queue: Waiter): void {
    if (queue.direction === READABLE) this.#readers = undefined;
    else this.#writers = undefined;
    if (!this.#isIdle || !this.#isPolled) return;
    waiting[this.fd] = undefined;
    this.#keepLoopAlive(false);
  }

  get #isIdle(): boolean {
    return this.#readers === undefined && this.#writers === undefined;
  }

  /** Whether a waiting queue keeps the event loop alive. */
  set keepsLoopAlive(value: boolean) {
    this.#keepsLoopAlive = value;
    if (this.#isPolled && !this.#isIdle) this.#keepLoopAlive(value);
  }

  /** Continues the queues of the ready directions. */
  ready(events: number): void {
    if ((events & STOPPED) !== 0) this.#watched = 0;
    const awaited =
      (this.#readers === undefined ? 0 : READABLE) | (this.#writers === undefined ? 0 : WRITABLE);
    if (this.#isPolled) this.#watch(this.#watched & (awaited | ~events));
    if ((events & READABLE) !== 0) this.#readers?.proceed();
    if ((events & WRITABLE) !== 0) this.#writers?.proceed();
  }

  override transfer(): number {
    if (this.#isPolled) {
      waiting[this.fd] = undefined;
      stopped.delete(this.fd);
      os.pollClose(this.fd);
      this.#isPolled = false;
      this.#watched = 0;
      if (reported === this) reported = undefined;
    }
    return super.transfer();
  }

  #openPoll(): void {
    if (!isListening) {
      os.onReady(dispatch, report);
      isListening = true;
    }
    const result = os.pollOpen(this.fd);
    if (result < 0) throw systemError('epoll_ctl', result);
    this.#isPolled = true;
  }

  #watch(directions: number): void {
    if (directions === this.#watched) return;
    const result = os.pollWatch(this.fd, directions);
    if (result < 0) throw systemError('epoll_ctl', result);
    this.#watched = directions;
  }

  #keepLoopAlive(value: boolean): void {
    if (report[0] === 1 && reported === this) report[1] = Number(value);
    else os.pollRef(this.fd, value);
  }
}

function dispatch(fd: number, events: number): boolean {
  recordTurn(report[2] as number);
  reported = waiting[fd];
  if (reported === undefined) {
    stopped.add(fd);
    return false;
  }
  reported.ready(events);
  return true;
}
