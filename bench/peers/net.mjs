// node:net on a socket file, with a length in front of each message.
import { once } from 'node:events';
import net from 'node:net';
import { MessageParser, writeMessage } from './framing.mjs';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const GROUP = 64;

function listenFor(onMessage) {
  const server = net.createServer((socket) => {
    server.close();
    receive(socket, onMessage);
  });
  server.listen(work.path, reportReady);
}

function receive(socket, onMessage) {
  const parser = new MessageParser((message) => onMessage(message, socket));
  socket.on('data', (chunk) => parser.push(chunk));
}

async function connected() {
  const options = work.variants.includes('large-queue') ? { highWaterMark: 1_048_576 } : {};
  const socket = net.connect({ path: work.path, ...options });
  await once(socket, 'connect');
  return socket;
}

await play({
  echo() {
    const meter = new Meter();
    listenFor((message, socket) => {
      const more = meter.saw(message[0]);
      writeMessage(socket, message);
      if (more) return;
      meter.report();
      socket.end();
    });
  },

  async ping() {
    const socket = await connected();
    const pace = new Pace();
    receive(socket, () => {
      const message = pace.next();
      if (message !== undefined) {
        writeMessage(socket, message);
        return;
      }
      pace.reportMeasured();
      socket.end();
    });
    writeMessage(socket, pace.next());
  },

  sink() {
    const meter = new Meter();
    listenFor((message, socket) => {
      if (meter.saw(message[0])) return;
      meter.report();
      socket.end();
    });
  },

  async flood() {
    const socket = await connected();
    const pace = new Pace();
    const next = () => {
      for (let message = pace.next(); message !== undefined; message = pace.next()) {
        if (!writeMessage(socket, message)) return;
      }
      socket.end(() => pace.reportUsed());
    };
    socket.on('drain', next).resume();
    next();
  },

  accept() {
    const server = net.createServer((socket) => socket.destroy());
    server.listen(work.path, 511, reportReady);
  },

  /** Opens connections in groups, and closes each when the server has. */
  async storm() {
    const pace = new Pace(1);
    const live = () =>
      new Promise((resolve, reject) => {
        net.connect(work.path).on('error', reject).on('close', resolve).resume();
      });
    for (let more = true; more; ) {
      const group = [];
      while (group.length < GROUP && more) {
        more = pace.next() !== undefined;
        if (more) group.push(live());
      }
      await Promise.all(group);
    }
    pace.reportMeasured();
  },

  async idle() {
    const { Idle } = await import('./idle.mjs');
    const idle = new Idle();
    const server = net.createServer((socket) => {
      socket.on('data', (message) => {
        throw new Error(`an idle connection said ${message}`);
      });
      socket.on('error', () => {});
      if (idle.opened(socket)) server.close();
    });
    server.listen(work.path, 511, reportReady);
  },
});
