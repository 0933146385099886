// This package by blocking calls: no event loop.
import { connectSync } from 'seqpacket';
import { acceptOneBlocking } from './accept-one.mjs';
import { blocking, rolesOf } from './loops.mjs';
import { Meter, Pace, play, work } from './role.mjs';

const BATCH = 64;

class Connection {
  constructor(socket) {
    this.socket = socket;
  }

  receive(buffer) {
    this.socket.receiveSync(buffer);
  }

  send(message) {
    this.socket.sendSync(message);
  }

  close() {
    this.socket.close();
  }
}

await play({
  ...rolesOf(
    blocking,
    () => new Connection(acceptOneBlocking()),
    () => new Connection(connectSync(work.path)),
  ),

  'sink-batches'() {
    const socket = acceptOneBlocking();
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
    for (let messages = pace.nextBatch(BATCH); messages.length > 0; messages = pace.nextBatch(BATCH)) {
      socket.sendManySync(messages);
    }
    pace.reportUsed();
    socket.close();
  },
});
