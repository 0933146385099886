/** Receives a text file line by line, and its descriptor; compares the two. See demo.ts. */
import { readFileSync, unlinkSync } from 'node:fs';
import { type FileDescriptor, SeqpacketAcceptor } from 'seqpacket';

const path = process.argv[2] as string;

using acceptor = new SeqpacketAcceptor();
acceptor.open();
acceptor.bind(path);
acceptor.listen();
console.log(`server  process ${process.pid} listens`);

using socket = await acceptor.accept();
unlinkSync(path);
const { pid, uid } = socket.getOption('remoteCredentials');
console.log(`server  connected with process ${pid} of user ${uid}`);

const buffer = Buffer.alloc(65536);
const lines: string[] = [];
const descriptors: FileDescriptor[] = [];
try {
  for (;;) {
    const { bytesRead, fds } = await socket.receiveWithFds(buffer, 1);
    descriptors.push(...fds);
    const message = buffer.toString('utf8', 0, bytesRead);
    if (fds.length > 0) {
      console.log(`server  message with descriptor ${fds[0]}: ${message}`);
    } else {
      lines.push(message);
      console.log(
        `server  ${String(lines.length).padStart(3)} ${String(bytesRead).padStart(3)} bytes | ${message.trimEnd()}`,
      );
    }
  }
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EOF') throw error;
  console.log('server  end of file');
}

using descriptor = descriptors[0] as FileDescriptor;
const text = readFileSync(descriptor.fd, 'utf8');
const expected = text.split(/(?<=\n)/);
const same = expected.length === lines.length && expected.every((line, index) => line === lines[index]);
console.log(
  `server  read ${text.length} characters through the descriptor: ${same ? 'the same, line by line' : 'DIFFERENT'}`,
);
process.exitCode = same ? 0 : 1;
