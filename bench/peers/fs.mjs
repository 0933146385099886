// fs.readSync and fs.writeSync on a SEQPACKET socket in blocking mode, which this package has only opened. There is no
// timeout, no end of file that differs from an empty message, and worker.terminate() does not end a call that waits.
import { readSync, writeSync } from 'node:fs';
import { connectSync, listen } from 'seqpacket';
import { Meter, Pace, play, reportReady, work } from './role.mjs';

/** The number of a blocking descriptor, which stays open until the process ends. */
function blocking(socket) {
  const descriptor = socket.release();
  descriptor.nonBlocking = false;
  return descriptor.detach();
}

function acceptOne() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = acceptor.acceptSync();
  acceptor.close();
  return blocking(socket);
}

await play({
  echo() {
    const fd = acceptOne();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    for (let more = true; more; ) {
      readSync(fd, buffer);
      more = meter.saw(buffer[0]);
      writeSync(fd, buffer);
    }
    meter.report();
  },

  ping() {
    const fd = blocking(connectSync(work.path));
    const buffer = Buffer.alloc(work.size);
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) {
      writeSync(fd, message);
      readSync(fd, buffer);
    }
    pace.reportMeasured();
  },

  sink() {
    const fd = acceptOne();
    const buffer = Buffer.alloc(work.size);
    const meter = new Meter();
    do readSync(fd, buffer);
    while (meter.saw(buffer[0]));
    meter.report();
  },

  flood() {
    const fd = blocking(connectSync(work.path));
    const pace = new Pace();
    for (let message = pace.next(); message !== undefined; message = pace.next()) writeSync(fd, message);
    pace.reportUsed();
  },
});
