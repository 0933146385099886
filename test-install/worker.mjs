// Connects, says so, and waits.
import { workerData } from 'node:worker_threads';
import { connect } from 'seqpacket';

const socket = await connect(workerData);
await socket.send(Buffer.from('from a worker'));
await socket.receiveMessage();
socket.close();
