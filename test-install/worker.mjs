// Connects, says so, and waits: for a message, or blocked.
import { workerData } from 'node:worker_threads';
import { connect } from 'seqpacket';

const { path = workerData, blocked } = workerData;
const socket = await connect(path);
await socket.send(Buffer.from('from a worker'));
if (blocked === 'receiving') socket.receiveMessageSync();
if (blocked === 'sending') for (;;) socket.sendSync('more');
await socket.receiveMessage();
socket.close();
