/**
 * Loaded before tests that run with SEQPACKET_READINESS=thread: the thread's descriptors are there from the
 * start, so that tests which count descriptors count their own.
 */
import { pair } from 'seqpacket';

const [a, b] = pair();
const received = b.receiveMessage();
await a.send(Buffer.from('the thread begins'));
await received;
a.close();
b.close();
