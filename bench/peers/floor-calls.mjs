// The floor for batches, descriptors and connections: the system calls of this package, in loops with a promise for each
// operation, and nothing else of the package. With the variant `marks`, each message has a time stamp.
import { openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { connect, listen } from 'seqpacket';
import { acceptOne } from './accept-one.mjs';
import { useEveryKind } from './every-kind.mjs';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const require = createRequire(import.meta.url);
const library = dirname(require.resolve('seqpacket'));
const system = join(library, 'system');
const { os } = require(join(system, 'os.js'));
const linux = require(join(system, 'linux.js'));
const { AF_UNIX, EAGAIN, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL } = linux;
const { SOCKET_FLAGS, SOCKET_TYPE } = linux;

const BATCH = 64;
const RECEIVING_FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
const SENDING_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;
const READABLE = 1;
const WRITABLE = 2;
const report = new Int32Array(3);
const retries = [];
const watched = [];

function ready(fd) {
  retries[fd]?.();
  return true;
}

function polled(fd) {
  os.onReady(ready, report);
  if (os.pollOpen(fd) < 0) throw new Error('no poll');
  os.pollRef(fd, true);
  return fd;
}

const descriptorOf = (socket) => polled(socket.release().detach());

/** Tries at once, or when the descriptor is ready. */
function run(fd, direction, attempt) {
  const result = attempt();
  if (result !== -EAGAIN) return Promise.resolve(result);
  if (watched[fd] !== direction) {
    watched[fd] = direction;
    if (os.pollWatch(fd, direction) < 0) throw new Error('no watch');
  }
  return new Promise((resolve) => {
    retries[fd] = () => {
      const later = attempt();
      if (later === -EAGAIN) return;
      retries[fd] = undefined;
      resolve(later);
    };
  });
}

function close(fd) {
  os.pollClose(fd);
  os.close(fd);
}

await useEveryKind();

await play({
  async 'sink-batch'() {
    const fd = descriptorOf(await acceptOne());
    if (work.variants.includes('marks')) {
      os.setsockopt(fd, linux.SOL_SOCKET, linux.SO_TIMESTAMP, new Int32Array([1]));
    }
    const slots = Buffer.alloc(BATCH * work.size);
    const results = new Int32Array(4 * BATCH);
    const meter = new Meter();
    const attempt = () => os.recvmmsg(fd, BATCH, results, RECEIVING_FLAGS, 16, slots, work.size);
    for (let more = true; more; ) {
      const count = await run(fd, READABLE, attempt);
      if (count < 0) throw new Error(`received ${count}`);
      for (let i = 0; i < count && more; i++) more = meter.saw(slots[i * work.size]);
    }
    meter.report();
    close(fd);
  },

  async 'flood-batch'() {
    const fd = descriptorOf(await connect(work.path));
    const slots = Buffer.alloc(BATCH * work.size);
    const lengths = new Int32Array(BATCH).fill(work.size);
    const pace = new Pace();
    let message = pace.next();
    while (message !== undefined) {
      let count = 0;
      for (; message !== undefined && count < BATCH; message = pace.next()) {
        slots.set(message, count++ * work.size);
      }
      for (let sent = 0; sent < count; ) {
        const result = await run(fd, WRITABLE, () =>
          os.sendSlots(fd, slots, work.size, lengths, sent, count - sent, SENDING_FLAGS),
        );
        if (result < 0) throw new Error(`sent ${result}`);
        sent += result;
      }
    }
    pace.reportUsed();
    close(fd);
  },

  async 'flood-batches'() {
    const fd = descriptorOf(await connect(work.path));
    const pace = new Pace();
    for (let messages = pace.nextBatch(BATCH); messages.length > 0; messages = pace.nextBatch(BATCH)) {
      for (let sent = 0; sent < messages.length; ) {
        const result = await run(fd, WRITABLE, () => os.sendmmsg(fd, messages, sent, SENDING_FLAGS));
        if (result < 0) throw new Error(`sent ${result}`);
        sent += result;
      }
    }
    pace.reportUsed();
    close(fd);
  },

  async 'sink-descriptors'() {
    const fd = descriptorOf(await acceptOne());
    // The control block of the package, which its first socket has registered.
    const { decodeAncillaryData } = require(
      join(dirname(require.resolve('seqpacket')), 'messages/ancillary-data.js'),
    );
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do {
      const bytes = await run(fd, READABLE, () => os.recvmsg(fd, buffer, RECEIVING_FLAGS, 1280));
      if (bytes <= 0) throw new Error(`received ${bytes}`);
      os.close(decodeAncillaryData().fds[0]);
    } while (meter.saw(buffer[0]));
    meter.report();
    close(fd);
  },

  async 'flood-descriptors'() {
    const fd = descriptorOf(await connect(work.path));
    const passed = openSync('/dev/null', 'r');
    const control = new Int32Array([24, 0, 0, 0, 20, 0, linux.SOL_SOCKET, linux.SCM_RIGHTS, passed, 0]);
    const block = new Uint8Array(control.buffer);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      const bytes = await run(fd, WRITABLE, () => os.sendmsg(fd, message, block, SENDING_FLAGS));
      if (bytes < 0) throw new Error(`sent ${bytes}`);
    }
    pace.reportUsed();
    close(fd);
  },

  async accept() {
    const listener = descriptorOf(listen(work.path, { backlog: 4096 }));
    reportReady();
    for (;;) {
      const fd = await run(listener, READABLE, () => os.accept4(listener, SOCKET_FLAGS));
      if (fd < 0) throw new Error(`accepted ${fd}`);
      os.close(fd);
    }
  },

  async storm() {
    const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(work.path), Buffer.from([0])]);
    const end = Buffer.alloc(1);
    const pace = new Pace(1);
    const live = async () => {
      const fd = os.socket(AF_UNIX, SOCKET_TYPE, 0);
      const connected = os.connect(fd, address);
      if (connected < 0) throw new Error(`connect: ${connected}`);
      polled(fd);
      watched[fd] = 0;
      const bytes = await run(fd, READABLE, () => os.recvmsg(fd, end, RECEIVING_FLAGS, 64));
      if (bytes !== 0) throw new Error(`received ${bytes}`);
      close(fd);
    };
    for (let group = pace.nextBatch(BATCH); group.length > 0; group = pace.nextBatch(BATCH)) {
      await Promise.all(group.map(live));
    }
    pace.reportMeasured();
  },
});
