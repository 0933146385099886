/** Waiting for a descriptor: which queues to go on with when the event loop says that it is ready. */
import { OwnedDescriptor } from './descriptor';
import { systemError } from './errors';
import { newTurn, type OperationQueue, type Waker } from './operations';
import { os, type Poll } from './os';

/** Descriptors with queues that wait: held here, so that nothing is collected while it waits. */
const waiting = new Map<number, PolledDescriptor>();
let listening = false;

/**
 * An owned descriptor that can be waited on. Its poll handle is made when it is first needed, stays
 * armed from then on, and keeps the event loop alive only while a queue waits.
 */
export class PolledDescriptor extends OwnedDescriptor implements Waker {
  #poll: Poll | undefined;
  #queues: OperationQueue[] = [];
  #keepsLoopAlive = true;

  wait(queue: OperationQueue): void {
    this.#poll ??= openPoll(this.fd);
    const result = os.pollStart(this.#poll, queue.direction);
    if (result < 0) throw systemError('epoll_ctl', result);
    if (this.#queues.includes(queue)) return;
    if (this.#queues.length === 0) {
      waiting.set(this.fd, this);
      if (this.#keepsLoopAlive) os.pollRef(this.#poll, true);
    }
    this.#queues.push(queue);
  }

  leave(queue: OperationQueue): void {
    this.#queues = this.#queues.filter((other) => other !== queue);
    if (this.#queues.length > 0 || this.#poll === undefined) return;
    waiting.delete(this.fd);
    os.pollRef(this.#poll, false);
  }

  /** Whether waiting on this descriptor keeps the event loop alive. */
  set keepsLoopAlive(value: boolean) {
    this.#keepsLoopAlive = value;
    if (this.#poll !== undefined && this.#queues.length > 0) os.pollRef(this.#poll, value);
  }

  /** @returns the directions that were waited for */
  ready(events: number): number {
    let awaited = 0;
    for (const queue of this.#queues) awaited |= queue.direction;
    for (const queue of this.#queues) {
      if ((queue.direction & events) !== 0) queue.proceed();
    }
    return awaited;
  }

  override take(): number {
    if (this.#poll !== undefined) {
      waiting.delete(this.fd);
      os.pollClose(this.#poll);
      this.#poll = undefined;
    }
    return super.take();
  }
}

function openPoll(fd: number): Poll {
  if (!listening) {
    os.onReady(dispatch);
    listening = true;
  }
  const poll = os.pollOpen(fd);
  if (typeof poll === 'number') throw systemError('epoll_ctl', poll);
  return poll;
}

function dispatch(fd: number, events: number): number {
  newTurn();
  return waiting.get(fd)?.ready(events) ?? 0;
}
