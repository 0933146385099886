/**
 * The operating system, as the library sees it: every call that it makes, and nothing else. The C
 * layer in `native/` implements it; another back end needs to implement this interface alone.
 *
 * Unless it says otherwise, a function returns what the system call returns, or the negative errno.
 * None of them blocks as long as sockets are non-blocking and messages are sent and received with
 * MSG_DONTWAIT. Interrupted calls are repeated. Arguments that cannot be read whole, as in a thread that is being
 * terminated, are -EFAULT before the system call. Back ends decide nothing.
 */
import type { Parts } from '../arguments';

export interface OperatingSystem {
  /** socket(2). The descriptor belongs to this thread: see {@link own}. */
  socket(domain: number, type: number, protocol: number): number;
  /** socketpair(2). Both descriptors belong to this thread. */
  socketpair(domain: number, type: number, protocol: number, ends: Int32Array): number;
  /** bind(2) to a sockaddr. */
  bind(fd: number, address: Uint8Array): number;
  /** listen(2) */
  listen(fd: number, backlog: number): number;
  /** accept4(2). The new descriptor belongs to this thread. */
  accept4(fd: number, flags: number): number;
  /** connect(2) to a sockaddr. */
  connect(fd: number, address: Uint8Array): number;
  /** shutdown(2) */
  shutdown(fd: number, how: number): number;
  /**
   * recvmsg(2), into the parts and, past them, into an area of the back end that holds any message:
   * a result greater than the length of the parts says that it is in use; see {@link takeOverflow}.
   * What comes beside it is put into the {@link controlBlock}, of which it gets as many bytes as `controlRoom`
   * says; the kernel closes descriptors that find no room. Those in it belong to this thread.
   */
  recvmsg(fd: number, parts: Parts, flags: number, controlRoom: number): number;
  /** Names the control block (`ancillary-data.ts`) that every `recvmsg` of this thread fills in. */
  controlBlock(block: Uint8Array): number;
  /** send(2) */
  send(fd: number, data: Uint8Array, flags: number): number;
  /** sendmsg(2), with a control block or none. */
  sendmsg(fd: number, parts: Parts, control: Uint8Array | null, flags: number): number;
  /**
   * recvmmsg(2) of at most `max` messages, into an area of the back end that holds any of them; see
   * {@link takeBatch}. `results` gets four numbers of each: its length, its flags, the bytes of its control
   * messages, and how many descriptors are among them, which belong to this thread. `controlRoom` is for each
   * message. `-ENOMEM` if there is no memory for that area.
   */
  recvmmsg(fd: number, max: number, results: Int32Array, flags: number, controlRoom: number): number;
  /** sendmmsg(2) of messages, from one of them on; how many were sent. */
  sendmmsg(fd: number, messages: readonly Parts[], start: number, flags: number): number;
  /** getsockopt(2) into `value`; the length of the value. A pidfd in it belongs to this thread. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array | Int32Array): number;
  /** setsockopt(2) */
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | Int32Array): number;
  /** getsockname(2) into `address`; the length of the name. */
  getsockname(fd: number, address: Uint8Array): number;
  /** getpeername(2) into `address`; the length of the name. */
  getpeername(fd: number, address: Uint8Array): number;
  /** ioctl(2) with a request that answers with one int; that int. */
  ioctl(fd: number, request: number): number;
  /** fcntl(2) with a command that makes no descriptor. */
  fcntl(fd: number, command: number, argument: number): number;
  /** fcntl(2) with F_DUPFD_CLOEXEC. The new descriptor belongs to this thread. */
  dup(fd: number): number;
  /** fchmod(2) */
  fchmod(fd: number, mode: number): number;
  /** poll(2) of one descriptor without waiting; the events that there are, 0 if there are none. */
  poll(fd: number, events: number): number;
  /** close(2) */
  close(fd: number): number;

  /** Notes that a descriptor belongs to this thread, so that it is closed at the latest when the thread ends. */
  own(fd: number): void;
  /** Takes {@link own} back. */
  disown(fd: number): void;

  /** Fetches the first bytes that the last `recvmsg` put behind its parts, and frees that area. */
  takeOverflow(target: Uint8Array): number;

  /** Copies `count` messages of the last `recvmmsg`, from the first on, to the target, one behind the other. */
  takeBatch(target: Uint8Array, results: Int32Array, first: number, count: number): number;
  /** Gives back the memory in which `recvmmsg` has put messages. */
  releaseBatch(): number;
  /** Copies what came beside one message of the last `recvmmsg` to the {@link controlBlock}. */
  takeBatchControl(index: number, results: Int32Array): number;

  /**
   * Names the one function of this thread that learns of readiness. It gets a descriptor and the directions
   * (1 readable, 2 writable) that it is ready for, with 65536 added if the poll was stopped by an error. It
   * returns whether it knows the descriptor: if not, the poll is stopped. While it runs, and what becomes ready
   * to run by it, `report[0]` is 1, and `report[1]` says whether that poll keeps the event loop alive; what
   * is written there is done afterwards. `report[2]` is the number of the event loop's turn, or 0.
   */
  onReady(callback: (fd: number, events: number) => boolean, report: Int32Array): number;
  /** Makes the poll of a descriptor, which watches nothing yet and does not keep the event loop alive. */
  pollOpen(fd: number): number;
  /** Watches for these directions, and no others. */
  pollWatch(fd: number, events: number): number;
  /** Whether the poll keeps the event loop alive. */
  pollRef(fd: number, keepsLoopAlive: boolean): void;
  /** Ends the poll; to be called before its descriptor is closed or given away. */
  pollClose(fd: number): void;
}
