// The floor of the event loop: the system calls and the polls of this package, and nothing else of it. Round trips wait
// for readiness before each receive. One way, messages are received until there are none.
//
// Without a variant, all work is done in the callback for readiness. With `promises`, each message is sent and received
// by a function that returns a promise, which is awaited. With `blocking`, the thread sleeps in poll(2), as in the
// blocking calls of this package.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { connect, connectSync } from 'seqpacket';
import { acceptOne, acceptOneBlocking } from './accept-one.mjs';
import { asynchronous, blocking, rolesOf } from './loops.mjs';
import { Meter, Pace, play, work } from './role.mjs';

const require = createRequire(import.meta.url);
const system = join(dirname(require.resolve('seqpacket')), 'system');
const { os } = require(join(system, 'os.js'));
const { EAGAIN, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, POLLIN, POLLOUT } = require(
  join(system, 'linux.js'),
);

const RECEIVING_FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
const SENDING_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;
const READABLE = 1;
const WRITABLE = 2;
/** The size of a control message with credentials, in bytes. */
const CONTROL_ROOM = 64;

/** The descriptor of a connection, taken out of the socket that has made it. */
function descriptorOf(socket) {
  const fd = socket.release().detach();
  os.onReady(ready, report);
  if (os.pollOpen(fd) < 0) throw new Error('no poll');
  os.pollRef(fd, true);
  return fd;
}

const report = new Int32Array(3);
let onReady;
let watched = 0;

function ready(_, events) {
  onReady(events);
  return true;
}

function watch(fd, events) {
  if (events === watched) return;
  watched = events;
  if (os.pollWatch(fd, events) < 0) throw new Error('no watch');
}

async function accepted() {
  return descriptorOf(await acceptOne());
}

async function connected() {
  return descriptorOf(await connect(work.path));
}

/** @returns whether there was a message */
function receiveInto(fd, buffer) {
  const bytes = os.recvmsg(fd, buffer, RECEIVING_FLAGS, CONTROL_ROOM);
  if (bytes === -EAGAIN) return false;
  if (bytes <= 0) throw new Error(`received ${bytes}`);
  return true;
}

/** @returns whether there was room */
function sendAll(fd, message) {
  const bytes = os.send(fd, message, SENDING_FLAGS);
  if (bytes === -EAGAIN) return false;
  if (bytes !== message.length) throw new Error(`sent ${bytes}`);
  return true;
}

function close(fd) {
  os.pollClose(fd);
  os.close(fd);
}

/** A connection whose operations return promises. */
class Connection {
  #fd;
  #waitsFirst;
  #retry;

  /** @param waitsFirst whether a receive waits for readiness before it tries */
  constructor(fd, waitsFirst) {
    this.#fd = fd;
    this.#waitsFirst = waitsFirst;
    onReady = () => this.#retry?.();
    watch(fd, READABLE);
  }

  send(message) {
    if (sendAll(this.#fd, message)) return Promise.resolve(message.length);
    return this.#wait(WRITABLE, () => sendAll(this.#fd, message));
  }

  receive(buffer) {
    if (!this.#waitsFirst && receiveInto(this.#fd, buffer)) return Promise.resolve(buffer.length);
    return this.#wait(READABLE, () => receiveInto(this.#fd, buffer));
  }

  #wait(direction, attempt) {
    watch(this.#fd, direction);
    return new Promise((resolve) => {
      this.#retry = () => {
        if (!attempt()) return;
        this.#retry = undefined;
        resolve(work.size);
      };
    });
  }

  close() {
    close(this.#fd);
  }
}

const callbacks = {
  async echo() {
    const fd = await accepted();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    onReady = () => {
      if (!receiveInto(fd, buffer)) return;
      const more = meter.saw(buffer[0]);
      if (!sendAll(fd, buffer)) throw new Error('no room');
      if (more) return;
      meter.report();
      close(fd);
    };
    watch(fd, READABLE);
  },

  async ping() {
    const fd = await connected();
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    onReady = () => {
      if (!receiveInto(fd, buffer)) return;
      const message = pace.next();
      if (message !== undefined) return void sendAll(fd, message);
      pace.reportMeasured();
      close(fd);
    };
    watch(fd, READABLE);
    sendAll(fd, pace.next());
  },

  async sink() {
    const fd = await accepted();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    onReady = () => {
      while (receiveInto(fd, buffer)) {
        if (meter.saw(buffer[0])) continue;
        meter.report();
        close(fd);
        return;
      }
    };
    watch(fd, READABLE);
  },

  async flood() {
    const fd = await connected();
    const pace = new Pace();
    let message = pace.next();
    onReady = () => {
      for (; message !== undefined; message = pace.next()) {
        if (!sendAll(fd, message)) return;
      }
      pace.reportUsed();
      close(fd);
    };
    watch(fd, WRITABLE);
  },
};

const isRoundTrip = ['echo', 'ping'].includes(work.role);

const promises = rolesOf(
  asynchronous,
  async () => new Connection(await accepted(), isRoundTrip),
  async () => new Connection(await connected(), isRoundTrip),
);

/** The longest sleep of a blocking call, in milliseconds. */
const SLEEP_MS = 50;

/** A connection whose operations block. */
class BlockingConnection {
  #fd;
  #waitsFirst;

  /** @param waitsFirst whether a receive waits for readiness before it tries */
  constructor(socket, waitsFirst) {
    this.#fd = socket.release().detach();
    this.#waitsFirst = waitsFirst;
  }

  send(message) {
    while (!sendAll(this.#fd, message)) os.poll(this.#fd, POLLOUT, SLEEP_MS);
  }

  receive(buffer) {
    if (!this.#waitsFirst && receiveInto(this.#fd, buffer)) return;
    do os.poll(this.#fd, POLLIN, SLEEP_MS);
    while (!receiveInto(this.#fd, buffer));
  }

  close() {
    os.close(this.#fd);
  }
}

const variants = {
  promises,
  blocking: rolesOf(
    blocking,
    () => new BlockingConnection(acceptOneBlocking(), isRoundTrip),
    () => new BlockingConnection(connectSync(work.path), isRoundTrip),
  ),
};
await play(variants[work.variants[0]] ?? callbacks);
