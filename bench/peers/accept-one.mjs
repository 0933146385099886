// Accepts one connection with this package, for its own programs and for those that use its sockets in other ways.
import { listen } from 'seqpacket';
import { reportReady, work } from './role.mjs';

export async function acceptOne() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = await acceptor.accept();
  acceptor.close();
  return socket;
}

export function acceptOneBlocking() {
  const acceptor = listen(work.path);
  reportReady();
  const socket = acceptor.acceptSync();
  acceptor.close();
  return socket;
}
