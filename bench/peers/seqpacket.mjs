// This package.
import { openSync } from 'node:fs';
import { connect, listen, MessageBatch, shareMemory } from 'seqpacket';
import { acceptOne } from './accept-one.mjs';
import { useEveryKind, useEveryKindOfChannels } from './every-kind.mjs';
import { asynchronous, rolesOf } from './loops.mjs';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const BATCH = 64;

/** The length of the longest message for which the default send buffer has room, in bytes. */
const LONGEST_BY_DEFAULT = 212_960;

const isShared = work.variants.includes('shared-memory');

async function accepted() {
  return configured(await acceptOne());
}

async function connected() {
  return configured(await connect(work.path));
}

async function configured(socket) {
  if (work.size > LONGEST_BY_DEFAULT) socket.setOption('sendBufferSize', work.size);
  const connection = isShared ? await shareMemory(socket, { bytes: ringBytes() }) : socket;
  if (work.variants.includes('busy-poll')) connection.setOption('busyPoll', 50);
  return connection;
}

/** The default, or room for eight messages. */
function ringBytes() {
  return Math.max(1 << 20, 8 * work.size);
}

// Idle connections are weighed without it.
if (!work.role.startsWith('idle')) await useEveryKind();
if (isShared) await useEveryKindOfChannels();

await play({
  ...rolesOf(asynchronous, accepted, connected),

  async 'sink-batches'() {
    const socket = await accepted();
    const meter = new Meter();
    for (let more = true; more; ) {
      const messages = await socket.receiveMany({ max: BATCH });
      for (let i = 0; i < messages.length && more; i++) more = meter.saw(messages[i][0]);
    }
    meter.report();
    socket.close();
  },

  async 'sink-batch'() {
    const socket = await accepted();
    const batch = new MessageBatch({ messages: BATCH, bytes: work.size });
    const { data } = batch;
    const meter = new Meter();
    for (let more = true; more; ) {
      const count = await socket.receiveBatch(batch);
      for (let i = 0; i < count && more; i++) more = meter.saw(data[i * work.size]);
    }
    meter.report();
    socket.close();
  },

  async 'sink-iterator'() {
    const socket = await accepted();
    const meter = new Meter();
    for await (const message of socket) if (!meter.saw(message[0])) break;
    meter.report();
    socket.close();
  },

  async 'flood-batches'() {
    const socket = await connected();
    const pace = new Pace();
    for (let messages = pace.nextBatch(BATCH); messages.length > 0; messages = pace.nextBatch(BATCH)) {
      await socket.sendMany(messages);
    }
    pace.reportUsed();
    socket.close();
  },

  async 'flood-batch'() {
    const socket = await connected();
    const batch = new MessageBatch({ messages: BATCH, bytes: work.size });
    const pace = new Pace();
    let message = pace.next();
    while (message !== undefined) {
      batch.clear();
      while (message !== undefined && batch.push(message)) message = pace.next();
      await socket.sendBatch(batch);
    }
    pace.reportUsed();
    socket.close();
  },

  async 'sink-receive'() {
    const connection = await accepted();
    const meter = new Meter();
    for (let more = true; more; ) more = meter.saw((await connection.receiveMessage()).data[0]);
    meter.report();
    connection.close();
  },

  async 'sink-lent'() {
    const channel = await accepted();
    const meter = new Meter();
    for (let more = true; more; ) {
      const borrowed = await channel.borrow();
      more = meter.saw(borrowed.data[0]);
      borrowed.release();
    }
    meter.report();
    channel.close();
  },

  /** Only the first byte of each message is written. */
  async 'flood-lent'() {
    const channel = await connected();
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await channel.wait('write', { bytes: work.size });
      const lease = channel.lease(work.size);
      lease.data[0] = message[0];
      lease.send();
    }
    pace.reportUsed();
    channel.close();
  },

  async 'sink-descriptors'() {
    const socket = await accepted();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do {
      const { fds } = await socket.receiveWithFds(buffer, 1);
      fds[0].close();
    } while (meter.saw(buffer[0]));
    meter.report();
    socket.close();
  },

  async 'flood-descriptors'() {
    const socket = await connected();
    const passed = [openSync('/dev/null', 'r')];
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await socket.sendWithFds(message, passed);
    }
    pace.reportUsed();
    socket.close();
  },

  async accept() {
    const acceptor = listen(work.path);
    reportReady();
    for await (const socket of acceptor) socket.close();
  },

  /** Opens connections in groups, and closes each when the server has. */
  async storm() {
    const end = Buffer.alloc(1);
    const pace = new Pace(1);
    const live = async () => {
      const socket = await connect(work.path);
      await socket.receive(end).catch((error) => {
        if (error.code !== 'EOF') throw error;
      });
      socket.close();
    };
    for (let group = pace.nextBatch(BATCH); group.length > 0; group = pace.nextBatch(BATCH)) {
      await Promise.all(group.map(live));
    }
    pace.reportMeasured();
  },

  async 'echo-many'() {
    const acceptor = listen(work.path);
    reportReady();
    const echo = async (socket) => {
      const buffer = Buffer.alloc(64);
      for (;;) {
        await socket.receive(buffer);
        await socket.send(buffer);
      }
    };
    for await (const socket of acceptor) {
      echo(socket).catch((error) => {
        socket.close();
        if (error.code !== 'EOF' && error.code !== 'ECONNRESET') throw error;
      });
    }
  },

  async idle() {
    await idle(async (socket) => {
      for await (const message of socket) throw new Error(`an idle connection said ${message}`);
    });
  },

  async 'idle-receive'() {
    await idle((socket) => socket.receiveMessage());
  },
});

async function idle(wait) {
  const { Idle } = await import('./idle.mjs');
  const acceptor = listen(work.path);
  reportReady();
  const idling = new Idle();
  for await (const socket of acceptor) {
    wait(socket).catch(() => {});
    if (idling.opened(socket)) break;
  }
}
