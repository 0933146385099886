// The channel that child_process.fork makes, with Node.js's own serialization. Here the client starts the
// server, and hands on what that reports.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Meter, Pace, play } from './role.mjs';

function forked(role) {
  const args = [role, ...process.argv.slice(3)];
  return fork(fileURLToPath(import.meta.url), args, { serialization: 'advanced' });
}

await play({
  echo() {
    const meter = new Meter();
    process.on('message', (message) => {
      const more = meter.saw(message[0]);
      process.send(message);
      if (more) return;
      meter.report();
      process.disconnect();
    });
  },

  ping() {
    const pace = new Pace();
    const child = forked('echo');
    child.on('message', () => {
      const message = pace.next();
      if (message === undefined) pace.reportMeasured();
      else child.send(message);
    });
    child.send(pace.next());
  },

  sink() {
    const meter = new Meter();
    process.on('message', (message) => {
      if (meter.saw(message[0])) return;
      meter.report();
      process.disconnect();
    });
  },

  async flood() {
    const pace = new Pace();
    const child = forked('sink');
    let waiting = 0;
    let proceed;
    const sent = () => {
      if (--waiting === 0) proceed?.();
    };
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      waiting++;
      // It is false when a backlog has built up, which is gone when all is with the kernel.
      if (child.send(message, sent)) continue;
      await new Promise((resolve) => {
        proceed = resolve;
      });
    }
    await once(child, 'exit');
    pace.reportUsed();
  },
});
