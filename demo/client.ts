/** Sends a text file line by line, one message each, and passes its descriptor. See demo.ts. */
import { openSync, readFileSync } from 'node:fs';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';

const [path, file] = process.argv.slice(2) as [string, string];

using socket = new SeqpacketSocket();
await socket.connect(path);
const { pid } = socket.getOption('remoteCredentials');
console.log(`client  process ${process.pid} of user ${process.getuid?.()} is connected with process ${pid}`);

let sent = 0;
for (const line of readFileSync(file, 'utf8').split(/(?<=\n)/)) {
  await socket.send(Buffer.from(line));
  sent++;
}
using descriptor = FileDescriptor.adopt(openSync(file, 'r'));
await socket.sendWithFds(Buffer.from(file), [descriptor]);
console.log(`client  sent ${sent} lines and one descriptor`);
