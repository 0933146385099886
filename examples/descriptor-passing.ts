/**
 * One end opens a file and passes the descriptor. The other end reads the file, without its name or path.
 */
import { openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';

const [left, right] = SeqpacketSocket.pair();

// The sender keeps its descriptor, and may close it at once.
const file = FileDescriptor.adopt(openSync(fileURLToPath(import.meta.url), 'r'));
await left.sendWithFds(Buffer.from('read this'), [file]);
file.close();

// The receiver owns the received descriptor: `using` closes it.
const buffer = Buffer.alloc(100);
const { bytesRead, fds } = await right.receiveWithFds(buffer, 1);
using received = fds[0] as FileDescriptor;
console.log(buffer.toString('utf8', 0, bytesRead));
console.log(readFileSync(received.fd, 'utf8').length > 0 ? 'read' : 'empty');

left.close();
right.close();
