/** Connecting, which on a full backlog means trying again: Linux gives no sign of room (unix(7)). */
import { type Address, addressBuffer, connectTo } from './address';
import { systemError } from './errors';
import { EAGAIN, EISCONN } from './linux';
import { type Attempt, type OperationQueue, type Waker, WOULD_BLOCK } from './operations';
import { os } from './os';

export class Connect implements Attempt<void> {
  readonly syscall = 'connect';
  readonly #fd: number;
  readonly #address: Address;
  readonly #onConnected: () => void;

  constructor(fd: number, address: Address, onConnected: () => void) {
    this.#fd = fd;
    this.#address = address;
    this.#onConnected = onConnected;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: void is what the promise is for
  try(): void | typeof WOULD_BLOCK {
    const result = connectTo(this.#address, (sockaddr) => os.connect(this.#fd, sockaddr));
    if (result === -EAGAIN) {
      // The kernel looks at the backlog first: without this, a connected socket would wait for nothing.
      if (os.getpeername(this.#fd, addressBuffer) >= 0) throw this.#failure(-EISCONN);
      return WOULD_BLOCK;
    }
    if (result < 0) throw this.#failure(result);
    this.#onConnected();
  }

  #failure(errno: number): Error {
    return systemError('connect', errno, this.#address.given);
  }
}

const FIRST_DELAY_MS = 1;
const LONGEST_DELAY_MS = 32;

/** Wakes a queue after growing delays. */
export class BackOff implements Waker {
  #delay = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #keepsLoopAlive = true;

  wait(queue: OperationQueue): void {
    this.#delay = FIRST_DELAY_MS;
    this.#schedule(queue);
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  set keepsLoopAlive(value: boolean) {
    this.#keepsLoopAlive = value;
    if (value) this.#timer?.ref();
    else this.#timer?.unref();
  }

  #schedule(queue: OperationQueue): void {
    this.#timer = setTimeout(() => {
      this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY_MS);
      this.#schedule(queue);
      queue.proceed();
    }, this.#delay);
    if (!this.#keepsLoopAlive) this.#timer.unref();
  }
}
