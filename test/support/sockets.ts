import { MessageFlag, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { os } from './internals.js';

const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;

/** Two connected sockets that are closed with the scope. */
export function socketPair() {
  const [a, b] = SeqpacketSocket.pair();
  return {
    a,
    b,
    [Symbol.dispose]() {
      a.close();
      b.close();
    },
  };
}

/** Room for messages that are longer than net.core.wmem_max allows: only root may (CAP_NET_ADMIN in socket(7)). */
export function forceSendBuffer(socket: SeqpacketSocket, bytes: number): void {
  os.setsockopt(socket.fd, SOL_SOCKET, SO_SNDBUFFORCE, Int32Array.of(bytes));
}

/** An acceptor that listens at a path. */
export function listeningAt(path: string | Buffer | URL, backlog?: number): SeqpacketAcceptor {
  const acceptor = new SeqpacketAcceptor();
  acceptor.open();
  acceptor.bind(path);
  acceptor.listen(backlog);
  return acceptor;
}

/** Both ends of a connection through a socket file, the client's first. */
export async function connectedAt(
  acceptor: SeqpacketAcceptor,
  path: string | Buffer | URL,
): Promise<[SeqpacketSocket, SeqpacketSocket]> {
  const client = new SeqpacketSocket();
  const [server] = await Promise.all([acceptor.accept(), client.connect(path)]);
  return [client, server];
}

/** Sends 64-byte messages until the kernel has no room for more; returns how many it took. */
export async function fillSendQueue(socket: SeqpacketSocket): Promise<number> {
  const message = Buffer.alloc(64);
  for (let sent = 0; ; sent++) {
    try {
      await socket.send(message, { flags: MessageFlag.dontWait });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return sent;
      throw error;
    }
  }
}

/**
 * Uses up the time that operations have in this turn of the event loop: what is called next, in the same turn, is
 * put off.
 */
export function useUpTurn(): void {
  const [a, b] = SeqpacketSocket.pair();
  for (let i = 0; i < 100; i++) {
    const until = performance.now() + 0.1;
    while (performance.now() < until) {}
    a.send(Buffer.alloc(1)).catch(() => {});
  }
  if (a.counters.pendingSends === 0) throw new Error('The time of this turn is not over');
  a.close();
  b.close();
}

/** Fills the backlog of a listener, so that the next connect waits. */
export async function fillBacklog(path: string): Promise<SeqpacketSocket[]> {
  const clients: SeqpacketSocket[] = [];
  for (;;) {
    const client = new SeqpacketSocket();
    clients.push(client);
    const connected = client.connect(path);
    if (!(await settlesSoon(connected))) {
      client.cancel();
      await connected.catch(() => undefined);
      return clients;
    }
  }
}

/** Whether a promise settles before the event loop has turned a few times. */
export async function settlesSoon(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; turn < 5 && !settled; turn++) await new Promise(setImmediate);
  return settled;
}

/** Receives one message as text. */
export async function receiveText(socket: SeqpacketSocket, room = 65536): Promise<string> {
  const buffer = Buffer.alloc(room);
  return buffer.toString('utf8', 0, await socket.receive(buffer));
}
