// zeromq.js over ipc: REQ and REP for round trips, PUSH and PULL one way. Its own threads do the system calls.
import { createRequire } from 'node:module';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const { Pull, Push, Reply, Request } = createRequire(process.env.SEQPACKET_BENCH_PEERS)('zeromq');
const address = `ipc://${work.path}`;

async function bound(socket) {
  await socket.bind(address);
  reportReady();
  return socket;
}

function connected(socket) {
  socket.connect(address);
  return socket;
}

await play({
  async echo() {
    const socket = await bound(new Reply());
    const meter = new Meter();
    for (let more = true; more; ) {
      const [message] = await socket.receive();
      more = meter.saw(message[0]);
      await socket.send(message);
    }
    meter.report();
  },

  async ping() {
    const socket = connected(new Request());
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await socket.send(message);
      await socket.receive();
    }
    pace.reportMeasured();
  },

  async sink() {
    const socket = await bound(new Pull());
    const meter = new Meter();
    for await (const [message] of socket) if (!meter.saw(message[0])) break;
    meter.report();
  },

  async flood() {
    const socket = connected(new Push());
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await socket.send(message);
    }
    pace.reportUsed();
  },
});
