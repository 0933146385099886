// The programs that the benchmark starts, one role each: peers.mjs ROLE ADDRESS|SERVER COUNT BYTES
import { connect as connectNats } from '@nats-io/transport-node';
import { connect, listen } from 'seqpacket';

const [role, where, count, bytes] = [process.argv[2], process.argv[3], ...process.argv.slice(4).map(Number)];
const WINDOW = 64;

function report(values) {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

/** Calls the function one time after the other; microseconds of each call, after a tenth as warm-up. */
async function roundTrips(call) {
  const times = [];
  for (let i = -count / 10; i < count; i++) {
    const start = process.hrtime.bigint();
    await call();
    if (i >= 0) times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  report({ p50: times[count >> 1], p99: times[Math.floor(count * 0.99)] });
}

const roles = {
  async natsEcho() {
    const nats = await connectNats({ servers: where });
    nats.subscribe('echo', { callback: (_, message) => message.respond(message.data) });
    await nats.flush();
    report('ready');
  },

  async natsRequests() {
    const nats = await connectNats({ servers: where });
    const data = new Uint8Array(bytes);
    await roundTrips(() => nats.request('echo', data));
    await nats.close();
  },

  /** Counts, and answers when everything has come. */
  async natsSink() {
    const nats = await connectNats({ servers: where });
    let received = 0;
    nats.subscribe('sink', {
      callback: () => {
        if (++received % count === 0) nats.publish(`done`, '');
      },
    });
    await nats.flush();
    report('ready');
  },

  async natsFlood() {
    const nats = await connectNats({ servers: where });
    const data = new Uint8Array(bytes);
    const done = new Promise((resolve) => nats.subscribe('done', { callback: resolve }));
    await nats.flush();
    const start = performance.now();
    // publish() has no back-pressure; flush() is the only brake. One flush is on its way while the next part is sent.
    let previous;
    for (let i = 0; i < count; i++) {
      nats.publish('sink', data);
      if (i % WINDOW === WINDOW - 1) {
        await previous;
        previous = nats.flush();
      }
    }
    await done;
    report({ seconds: (performance.now() - start) / 1000 });
    await nats.close();
  },

  async echo() {
    const acceptor = listen(where);
    report('ready');
    for await (const socket of acceptor) {
      (async () => {
        for await (const message of socket) if (!socket.trySend(message)) await socket.send(message);
        socket.close();
      })().catch(() => {});
    }
  },

  async requests() {
    const socket = await connect(where);
    const data = new Uint8Array(bytes);
    await roundTrips(async () => {
      await socket.send(data);
      await socket.receiveMessage();
    });
    socket.close();
  },

  async sink() {
    const acceptor = listen(where);
    report('ready');
    for await (const socket of acceptor) {
      (async () => {
        let received = 0;
        for await (const _ of socket) if (++received % count === 0) await socket.send('done');
        socket.close();
      })().catch(() => {});
    }
  },

  async flood() {
    const socket = await connect(where);
    const data = new Uint8Array(bytes);
    const start = performance.now();
    for (let i = 0; i < count; i++) if (!socket.trySend(data)) await socket.send(data);
    await socket.receiveMessage();
    report({ seconds: (performance.now() - start) / 1000 });
    socket.close();
  },

  /** Opens sessions that stay idle, and asks on each of them once. */
  async idle() {
    const sockets = [];
    for (let i = 0; i < count; i++) {
      const socket = await connect(where);
      await socket.send('x');
      await socket.receiveMessage();
      sockets.push(socket);
    }
    report('ready');
    setInterval(() => sockets.length, 1000);
  },
};
await roles[role]();
