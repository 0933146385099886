// This package by blocking calls: no event loop.
import { connectSync, listen } from 'seqpacket';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

const BATCH = 64;

function acceptOne() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = acceptor.acceptSync();
  acceptor.close();
  return socket;
}

await play({
  echo() {
    const socket = acceptOne();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      socket.receiveSync(buffer);
      more = meter.saw(buffer[0]);
      socket.sendSync(buffer);
    }
    meter.report();
    socket.close();
  },

  ping() {
    const socket = connectSync(work.path);
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      socket.sendSync(message);
      socket.receiveSync(buffer);
    }
    pace.reportMeasured();
    socket.close();
  },

  sink() {
    const socket = acceptOne();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do socket.receiveSync(buffer);
    while (meter.saw(buffer[0]));
    meter.report();
    socket.close();
  },

  flood() {
    const socket = connectSync(work.path);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) socket.sendSync(message);
    pace.reportUsed();
    socket.close();
  },

  'sink-batches'() {
    const socket = acceptOne();
    const meter = new Meter();
    for (let more = true; more; ) {
      const messages = socket.receiveManySync({ max: BATCH });
      for (let i = 0; i < messages.length && more; i++) more = meter.saw(messages[i][0]);
    }
    meter.report();
    socket.close();
  },

  'flood-batches'() {
    const socket = connectSync(work.path);
    const pace = new Pace();
    for (let more = true; more; ) {
      const messages = [];
      while (messages.length < BATCH && more) {
        const message = pace.next();
        if (message === undefined) more = false;
        else messages.push(message);
      }
      socket.sendManySync(messages);
    }
    pace.reportUsed();
    socket.close();
  },
});
