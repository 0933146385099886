import { SeqpacketSocket } from 'seqpacket';
import type { Limits } from '../expected/kernel.js';
import { described } from '../expected/outcome.js';

export const limits = await measureLimits();

async function measureLimits(): Promise<Limits> {
  const [a, b] = SeqpacketSocket.pair();
  const sendBuffer = a.getOption('sendBufferSize');
  const receiveBuffer = a.getOption('receiveBufferSize');
  a.setOption('sendBufferSize', 0);
  a.setOption('receiveBufferSize', 0);
  const leastSendBuffer = a.getOption('sendBufferSize');
  const leastReceiveBuffer = a.getOption('receiveBufferSize');
  await b.send(Buffer.alloc(0));
  a.close();
  const end = await b.receive(Buffer.alloc(0)).catch(described);
  b.close();
  const resetsForEmpty = end === 'recvmsg ECONNRESET';
  return { sendBuffer, receiveBuffer, leastSendBuffer, leastReceiveBuffer, resetsForEmpty };
}
