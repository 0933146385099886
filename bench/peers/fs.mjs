// fs.readSync and fs.writeSync on a SEQPACKET socket in blocking mode, which this package has only opened. There is no
// timeout, no end of file that differs from an empty message, and worker.terminate() does not end a call that waits.
import { closeSync, readSync, writeSync } from 'node:fs';
import { connectSync } from 'seqpacket';
import { acceptOneBlocking } from './accept-one.mjs';
import { blocking, rolesOf } from './loops.mjs';
import { play, work } from './role.mjs';

class Connection {
  constructor(socket) {
    const descriptor = socket.release();
    descriptor.nonBlocking = false;
    this.fd = descriptor.detach();
  }

  receive(buffer) {
    readSync(this.fd, buffer);
  }

  send(message) {
    writeSync(this.fd, message);
  }

  close() {
    closeSync(this.fd);
  }
}

await play(
  rolesOf(
    blocking,
    () => new Connection(acceptOneBlocking()),
    () => new Connection(connectSync(work.path)),
  ),
);
