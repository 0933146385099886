/** Connecting. While the backlog is full, connect(2) is repeated, because Linux does not report room (unix(7)). */
import { type Address, addressBuffer, addressResolver, connectTo } from '../addresses/address';
import { setNonBlocking } from '../descriptors/descriptor-flags';
import { systemError } from '../errors';
import { EAGAIN, EISCONN } from '../system/linux';
import { os } from '../system/os';
import { clearTimeout, setTimeout } from '../system/timers';
import type { Sleep } from '../waiting/blocking';
import { type Attempt, OperationQueue, type Waker, WOULD_BLOCK, WRITABLE } from '../waiting/operation-queue';

export class Connect implements Attempt<void> {
  readonly #fd: number;
  readonly #address: Address;
  /** Returns the address during the wait, when the working directory may have changed. */
  #resolveAddress: (() => Address) | undefined;
  readonly #onConnected: () => void;

  constructor(fd: number, address: Address, onConnected: () => void) {
    this.#fd = fd;
    this.#address = address;
    this.#onConnected = onConnected;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    const address = this.#resolveAddress?.() ?? this.#address;
    // Another owner of the open file description may have made it blocking. A full backlog would block the event loop.
    setNonBlocking(this.#fd, true);
    const result = connectTo(address, (sockaddr) => os.connect(this.#fd, sockaddr));
    if (result === -EAGAIN) {
      // The kernel checks the backlog first. Without this check, a connected socket would wait in vain.
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

/** Retries the connects of one socket, after increasing delays. */
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

/** The pauses of a blocking connect, as those of {@link BackOff}. */
export function backOffSleep(): Sleep {
  let delay = FIRST_DELAY_MS;
  return (milliseconds) => {
    const slept = os.poll(-1, 0, Math.min(delay, milliseconds));
    delay = Math.min(2 * delay, LONGEST_DELAY_MS);
    return slept;
  };
}
