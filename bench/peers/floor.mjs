// The floor of the event loop: the system calls and the polls of this package, and nothing else of it. Round trips wait
// for readiness before each receive. One way, messages are received until there are none.
//
// Without a variant, all work is done in the callback for readiness. With `promises`, each message is sent and received
// by a function that returns a promise, which is awaited. With `blocking`, the thread sleeps in poll(2), as in the
// blocking calls of this package.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { connect, connectSync, listen } from 'seqpacket';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

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

async function acceptOne() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = await acceptor.accept();
  acceptor.close();
  return descriptorOf(socket);
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
  #retry;

  constructor(fd) {
    this.#fd = fd;
    onReady = () => this.#retry?.();
    watch(fd, READABLE);
  }

  send(message) {
    if (sendAll(this.#fd, message)) return Promise.resolve(message.length);
    return this.#wait(WRITABLE, () => sendAll(this.#fd, message));
  }

  /** Receives after waiting for readiness. */
  receiveNext(buffer) {
    return this.#wait(READABLE, () => receiveInto(this.#fd, buffer));
  }

  receive(buffer) {
    if (receiveInto(this.#fd, buffer)) return Promise.resolve(buffer.length);
    return this.receiveNext(buffer);
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
    const fd = await acceptOne();
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
    const fd = await acceptOne();
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

const promises = {
  async echo() {
    const connection = new Connection(await acceptOne());
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      await connection.receiveNext(buffer);
      more = meter.saw(buffer[0]);
      await connection.send(buffer);
    }
    meter.report();
    connection.close();
  },

  async ping() {
    const connection = new Connection(await connected());
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await connection.send(message);
      await connection.receiveNext(buffer);
    }
    pace.reportMeasured();
    connection.close();
  },

  async sink() {
    const connection = new Connection(await acceptOne());
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do await connection.receive(buffer);
    while (meter.saw(buffer[0]));
    meter.report();
    connection.close();
  },

  async flood() {
    const connection = new Connection(await connected());
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await connection.send(message);
    }
    pace.reportUsed();
    connection.close();
  },
};

/** The longest sleep of a blocking call, in milliseconds. */
const SLEEP_MS = 50;

function acceptBlocking() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = acceptor.acceptSync();
  acceptor.close();
  return socket.release().detach();
}

function connectBlocking() {
  return connectSync(work.path).release().detach();
}

function receiveAfterPoll(fd, buffer) {
  do os.poll(fd, POLLIN, SLEEP_MS);
  while (!receiveInto(fd, buffer));
}

const blocking = {
  echo() {
    const fd = acceptBlocking();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      receiveAfterPoll(fd, buffer);
      more = meter.saw(buffer[0]);
      sendAll(fd, buffer);
    }
    meter.report();
  },

  ping() {
    const fd = connectBlocking();
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      sendAll(fd, message);
      receiveAfterPoll(fd, buffer);
    }
    pace.reportMeasured();
  },

  sink() {
    const fd = acceptBlocking();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do while (!receiveInto(fd, buffer)) os.poll(fd, POLLIN, SLEEP_MS);
    while (meter.saw(buffer[0]));
    meter.report();
  },

  flood() {
    const fd = connectBlocking();
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      while (!sendAll(fd, message)) os.poll(fd, POLLOUT, SLEEP_MS);
    }
    pace.reportUsed();
  },
};

const variants = { promises, blocking };
await play(variants[work.variants[0]] ?? callbacks);
