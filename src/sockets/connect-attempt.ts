/** Connecting, which on a full backlog means trying again: Linux gives no sign of room (unix(7)). */
import { type Address, addressBuffer, addressResolver, connectTo } from '../addresses/address';
import { setNonBlocking } from '../descriptors/descriptor-flags';
import { systemError } from '../errors';
import { EAGAIN, EISCONN } from '../system/linux';
import { os } from '../system/os';
import { clearTimeout, setTimeout } from '../system/timers';
import { type Attempt, OperationQueue, type Waker, WOULD_BLOCK, WRITABLE } from '../waiting/operation-queue';

export class Connect implements Attempt<void> {
  readonly #fd: number;
  readonly #address: Address;
  /** Where the address leads while it waits. */
  #resolveAddress: (() => Address) | undefined;
  readonly #onConnected: () => void;

  constructor(fd: number, address: Address, onConnected: () => void) {
    this.#fd = fd;
    this.#address = address;
    this.#onConnected = onConnected;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: void is what the promise is for
  try(): void | typeof WOULD_BLOCK {
    const address = this.#resolveAddress?.() ?? this.#address;
    // Another owner of the open socket may have made it blocking, and a full backlog would stop the event loop.
    setNonBlocking(this.#fd, true);
    const result = connectTo(address, (sockaddr) => os.connect(this.#fd, sockaddr));
    if (result === -EAGAIN) {
      // The kernel looks at the backlog first: without this, a connected socket would wait for nothing.
      if (os.getpeername(this.#fd, addressBuffer) >= 0) throw this.failure(-EISCONN);
      return WOULD_BLOCK;
    }
    if (result < 0) throw this.failure(result);
    this.#onConnected();
  }

  beginWaiting(): void {
    this.#resolveAddress = addressResolver(this.#address);
  }

  failure(errno: number): Error {
    return systemError('connect', errno, this.#address.given);
  }
}

const FIRST_DELAY_MS = 1;
const LONGEST_DELAY_MS = 32;

/** The connects of one socket, tried again after growing delays. */
export class BackOff implements Waker {
  readonly queue: OperationQueue = new OperationQueue(this, WRITABLE);
  #delay = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #keepsLoopAlive: boolean;

  constructor(keepsLoopAlive: boolean) {
    this.#keepsLoopAlive = keepsLoopAlive;
  }

  wait(queue: OperationQueue): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => queue.proceed(), this.#delay);
    if (!this.#keepsLoopAlive) this.#timer.unref();
    this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY_MS);
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#delay = FIRST_DELAY_MS;
  }

  set keepsLoopAlive(value: boolean) {
    this.#keepsLoopAlive = value;
    if (value) this.#timer?.ref();
    else this.#timer?.unref();
  }
}
