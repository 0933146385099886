// node-unix-socket, another binding of SEQPACKET sockets. It queues what the kernel has no room for, without
// bound: who sends waits until the callback says that a window of messages is with the kernel.
import { createRequire } from 'node:module';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const require = createRequire(process.env.SEQPACKET_BENCH_PEERS);
const { SeqpacketServer, SeqpacketSocket } = require('node-unix-socket');
const WINDOW = 64;

function listenFor(onData) {
  const server = new SeqpacketServer();
  server.listen(work.path);
  server.on('connection', (socket) => {
    server.close();
    socket.on('data', (message) => onData(message, socket));
  });
  reportReady();
}

function connected() {
  return new Promise((resolve) => {
    const socket = new SeqpacketSocket();
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
    const written = () => {
      if (--waiting === 0) next();
    };
    const next = () => {
      while (waiting < WINDOW) {
        const message = pace.next();
        if (message === undefined) break;
        waiting++;
        socket.write(message, 0, message.length, written);
      }
      if (waiting > 0) return;
      pace.reportUsed();
      process.exit();
    };
    next();
  },
});
