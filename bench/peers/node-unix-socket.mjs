// node-unix-socket, another binding of SEQPACKET sockets. It queues what the kernel has no room for, without
// bound: the sender waits for the callback after each window of messages.
import { createRequire } from 'node:module';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const require = createRequire(process.env.SEQPACKET_BENCH_PEERS);
const { SeqpacketServer, SeqpacketSocket } = require('node-unix-socket');
const WINDOW = 64;

/** Held, since a collected socket or server aborts the process. */
const kept = [];

function listenFor(onData) {
  const server = new SeqpacketServer();
  kept.push(server);
  server.listen(work.path);
  server.on('connection', (socket) => {
    server.close();
    kept.push(socket);
    socket.on('data', (message) => onData(message, socket));
  });
  reportReady();
}

function connected() {
  return new Promise((resolve) => {
    const socket = new SeqpacketSocket();
    kept.push(socket);
    socket.connect(work.path, () => resolve(socket));
  });
}

await play({
  echo() {
    const meter = new Meter();
    listenFor((message, socket) => {
      const more = meter.saw(message[0]);
      socket.write(message, 0, message.length, () => {
        if (more) return;
        meter.report();
        process.exit();
      });
    });
  },

  async ping() {
    const socket = await connected();
    const pace = new Pace();
    socket.on('data', () => {
      const message = pace.next();
      if (message !== undefined) {
        socket.write(message);
        return;
      }
      pace.reportMeasured();
      process.exit();
    });
    socket.write(pace.next());
  },

  sink() {
    const meter = new Meter();
    listenFor((message) => {
      if (meter.saw(message[0])) return;
      meter.report();
      process.exit();
    });
  },

  async flood() {
    const socket = await connected();
    const pace = new Pace();
    let waiting = 0;
    let writing = false;
    // Called by write() itself when the kernel had room.
    const written = () => {
      if (--waiting === 0 && !writing) next();
    };
    const next = () => {
      writing = true;
      while (waiting < WINDOW) {
        const message = pace.next();
        if (message === undefined) break;
        waiting++;
        socket.write(message, 0, message.length, written);
      }
      writing = false;
      if (waiting > 0) return;
      pace.reportUsed();
      process.exit();
    };
    next();
  },
});
