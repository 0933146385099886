/**
 * The interface to the operating system. It has all functions that the library calls, and no others. The C layer in
 * `native/` implements it. Another back end has to implement only this interface.
 *
 * Unless stated otherwise, a function returns the result of the system call, or the negative errno. No other function
 * than `poll` blocks if sockets are non-blocking and messages are sent and received with MSG_DONTWAIT. Interrupted calls
 * are repeated, except `poll`. If the arguments cannot be read completely, as in a thread that is being terminated, the
 * result is -EFAULT and the system call is not made. A back end contains no policy.
 */
import type { Parts } from '../arguments';

export interface OperatingSystem {
  /** socket(2). This thread owns the descriptor: see {@link own}. */
  socket(domain: number, type: number, protocol: number): number;
  /** socketpair(2). This thread owns both descriptors. */
  socketpair(domain: number, type: number, protocol: number, ends: Int32Array): number;
  /** bind(2) to a sockaddr. */
  bind(fd: number, address: Uint8Array): number;
  /** listen(2) */
  listen(fd: number, backlog: number): number;
  /** accept4(2). This thread owns the new descriptor. */
  accept4(fd: number, flags: number): number;
  /** connect(2) to a sockaddr. */
  connect(fd: number, address: Uint8Array): number;
  /** shutdown(2) */
  shutdown(fd: number, how: number): number;
  /**
   * recvmsg(2), into the parts and then into an overflow area of the back end that has room for any message. A result
   * greater than the length of the parts means that the overflow area is in use; see {@link takeOverflow}.
   *
   * The ancillary data are written to the {@link controlBlock}, at most `controlRoom` bytes. The kernel closes
   * descriptors for which there is no room. This thread owns the others.
   */
  recvmsg(fd: number, parts: Parts, flags: number, controlRoom: number): number;
  /** Sets the control block (`ancillary-data.ts`) that every `recvmsg` of this thread fills in. */
  controlBlock(block: Uint8Array): number;
  /** send(2) */
  send(fd: number, data: Uint8Array, flags: number): number;
  /** sendmsg(2), with or without a control block. */
  sendmsg(fd: number, parts: Parts, control: Uint8Array | null, flags: number): number;
  /**
   * recvmmsg(2) of at most `max` messages. The n-th is received into the n-th slot of `slots`, of `slotBytes` each, and
   * then into an area of the back end that has room for any messages; without slots, only into the area. See
   * {@link takeBatch}. Four numbers of each message are written to `results`: its length, its flags, the bytes of its
   * control messages, and the number of its descriptors, which this thread owns. `controlRoom` is in bytes for each
   * message. The result is `-ENOMEM` if there is no memory for the area.
   */
  recvmmsg(
    fd: number,
    max: number,
    results: Int32Array,
    flags: number,
    controlRoom: number,
    slots: Uint8Array | null,
    slotBytes: number,
  ): number;
  /** sendmmsg(2) of messages, beginning with the one at the index `start`. Returns the number of messages sent. */
  sendmmsg(fd: number, messages: readonly Parts[], start: number, flags: number): number;
  /**
   * sendmmsg(2) of `count` messages, which are the first bytes of slots, beginning with the slot at the index `start`.
   * Returns the number of messages sent.
   */
  sendSlots(
    fd: number,
    slots: Uint8Array,
    slotBytes: number,
    lengths: Int32Array,
    start: number,
    count: number,
    flags: number,
  ): number;
  /** getsockopt(2) into `value`. Returns the length of the value in bytes. This thread owns a pidfd in it. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array | Int32Array): number;
  /** setsockopt(2) */
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | Int32Array): number;
  /** getsockname(2) into `address`. Returns the length of the address in bytes. */
  getsockname(fd: number, address: Uint8Array): number;
  /** getpeername(2) into `address`. Returns the length of the address in bytes. */
  getpeername(fd: number, address: Uint8Array): number;
  /** ioctl(2) with a request that has an int as its result. Returns that int. */
  ioctl(fd: number, request: number): number;
  /** fcntl(2) with a command that creates no descriptor. */
  fcntl(fd: number, command: number, argument: number): number;
  /** fcntl(2) with F_DUPFD_CLOEXEC. This thread owns the new descriptor. */
  dup(fd: number): number;
  /** fchmod(2) */
  fchmod(fd: number, mode: number): number;
  /**
   * poll(2) of one descriptor. Returns the events, or 0 if there are none after `milliseconds`. A signal ends it with
   * -EINTR. With the descriptor -1, it only sleeps.
   */
  poll(fd: number, events: number, milliseconds: number): number;
  /** close(2) */
  close(fd: number): number;

  /** Records that this thread owns a descriptor. It is closed when the thread ends, if it is still open. */
  own(fd: number): void;
  /** Reverses {@link own}. */
  disown(fd: number): void;

  /** Copies the first bytes of the overflow of the last `recvmsg` to the target, and frees the overflow area. */
  takeOverflow(target: Uint8Array): number;

  /**
   * Copies `count` messages of the last `recvmmsg` from its area to the target without gaps, beginning with the index
   * `first`. Their lengths in `results` are those of the parts that are in the area.
   */
  takeBatch(target: Uint8Array, results: Int32Array, first: number, count: number): number;
  /** Returns the memory of the messages of `recvmmsg` to the system. */
  releaseBatch(): number;
  /** Copies the ancillary data of one message of the last `recvmmsg` to the {@link controlBlock}. */
  takeBatchControl(index: number, results: Int32Array): number;

  /** memfd_create(2) with a name that ends with NUL. This thread owns the descriptor. */
  memfdCreate(name: Uint8Array, flags: number): number;
  /** ftruncate(2) */
  ftruncate(fd: number, length: number): number;
  /** lseek(2) */
  lseek(fd: number, offset: number, whence: number): number;
  /** fallocate(2) */
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  /**
   * mmap(2) of the first bytes of a file, shared, readable and writable. -ENOTSUP if the runtime permits no ArrayBuffer in
   * memory that is not its own. The memory is unmapped when the ArrayBuffer is collected or detached.
   */
  mmap(fd: number, length: number): ArrayBuffer | number;
  /** Detaches an ArrayBuffer of {@link mmap}, whose memory is then unmapped (munmap(2)), at the latest in the next turn. */
  munmap(memory: ArrayBuffer): number;

  /**
   * Sets the callback for readiness; there is one in each thread. Its arguments are a descriptor and its ready
   * directions (1 readable, 2 writable), with 65536 added if an error has stopped the poll. It returns whether the
   * descriptor is known; if not, the poll is stopped.
   *
   * While the callback and its microtasks run, `report[0]` is 1, and `report[1]` is whether that poll keeps the event
   * loop alive. A value written to `report[1]` is applied afterwards. `report[2]` is the number of the turn of the
   * event loop, or 0.
   */
  onReady(callback: (fd: number, events: number) => boolean, report: Int32Array): number;
  /** Creates the poll of a descriptor. It watches no direction yet, and does not keep the event loop alive. */
  pollOpen(fd: number): number;
  /** Watches the given directions, and no others. */
  pollWatch(fd: number, events: number): number;
  /** Sets whether the poll keeps the event loop alive. */
  pollRef(fd: number, keepsLoopAlive: boolean): void;
  /** Ends the poll. Call this before the descriptor is closed or transferred. */
  pollClose(fd: number): void;
}
