// The loops of the roles echo, ping, sink and flood, over a connection that has `receive(buffer)`, `send(message)` and
// `close()`: for operations that return promises, and for ones that block.
import { Meter, Pace, work } from './role.mjs';

export const asynchronous = {
  async echo(connection) {
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      await connection.receive(buffer);
      more = meter.saw(buffer[0]);
      await connection.send(buffer);
    }
    meter.report();
    connection.close();
  },

  async ping(connection) {
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await connection.send(message);
      await connection.receive(buffer);
    }
    pace.reportMeasured();
    connection.close();
  },

  async sink(connection) {
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do await connection.receive(buffer);
    while (meter.saw(buffer[0]));
    meter.report();
    connection.close();
  },

  async flood(connection) {
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      await connection.send(message);
    }
    pace.reportUsed();
    connection.close();
  },
};

export const blocking = {
  echo(connection) {
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      connection.receive(buffer);
      more = meter.saw(buffer[0]);
      connection.send(buffer);
    }
    meter.report();
    connection.close();
  },

  ping(connection) {
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      connection.send(message);
      connection.receive(buffer);
    }
    pace.reportMeasured();
    connection.close();
  },

  sink(connection) {
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do connection.receive(buffer);
    while (meter.saw(buffer[0]));
    meter.report();
    connection.close();
  },

  flood(connection) {
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) connection.send(message);
    pace.reportUsed();
    connection.close();
  },
};

/** The roles of a peer, by its two ways to get a connection. */
export function rolesOf(loops, accepted, connected) {
  return {
    echo: async () => loops.echo(await accepted()),
    ping: async () => loops.ping(await connected()),
    sink: async () => loops.sink(await accepted()),
    flood: async () => loops.flood(await connected()),
  };
}
