/** `listen --exec-as lines`: connects a client with the standard input and output of a command. */
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { SeqpacketSocket } from 'seqpacket';
import type { Framing } from '../messages/framing.js';
import { StreamLines } from '../messages/lines.js';
import { PeerClosed, sendOutgoing } from '../messages/sending.js';
import { now } from '../process/clock.js';
import { codeOf } from '../process/failure.js';
import type { IdleTimeout } from '../process/idle-timeout.js';
import { drained } from '../process/output.js';
import { printRemark } from '../process/terminal.js';

export interface BridgeOptions {
  framing: Framing;
  sendEmpty: boolean;
  timeout: IdleTimeout;
}

/** Returns when the command has ended; closes the socket. */
export async function bridge(
  socket: SeqpacketSocket,
  child: ChildProcess,
  ended: Promise<unknown>,
  options: BridgeOptions,
): Promise<void> {
  const { stdin, stdout } = child as ChildProcess & { stdin: Writable; stdout: Readable };
  stdin.on('error', () => {});
  const feeding = forwardToCommand(socket, stdin, options);
  // Awaited below; an error before that ends the connection.
  feeding.catch(() => socket.close());
  await forwardToClient(socket, stdout, options);
  await ended;
  // The connection lasts as long as the command runs.
  socket.close();
  await feeding;
}

async function forwardToCommand(
  socket: SeqpacketSocket,
  stdin: Writable,
  { framing, timeout }: BridgeOptions,
): Promise<void> {
  try {
    for await (const message of socket.messages({ maxFds: 0 })) {
      timeout.restart();
      if (message.controlTruncated)
        printRemark('descriptors were closed: --exec-as fd lets a command receive them');
      if (stdin.destroyed) {
        // The command has closed its input: the client gets EPIPE.
        socket.shutdown('receive');
        break;
      }
      const incoming = { time: now(), connection: 1, message, descriptions: [] };
      if (!stdin.write(framing.encode(incoming))) await drained(stdin);
    }
  } catch (error) {
    if (!isEndOfConnection(error)) throw error;
  } finally {
    stdin.end();
  }
}

async function forwardToClient(
  socket: SeqpacketSocket,
  stdout: Readable,
  { framing, sendEmpty, timeout }: BridgeOptions,
): Promise<void> {
  const lines = new StreamLines(stdout, framing.delimiter);
  try {
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      const message = framing.decode(line, sendEmpty);
      if (message !== undefined) await sendOutgoing(socket, message);
      timeout.restart();
    }
    if (socket.isOpen) socket.shutdown('send');
  } catch (error) {
    // The command gets SIGPIPE at its next write.
    stdout.destroy();
    if (socket.isOpen && !isEndOfConnection(error)) throw error;
  }
}

function isEndOfConnection(error: unknown): boolean {
  if (error instanceof PeerClosed) return true;
  return ['ECANCELED', 'ECONNRESET', 'EPIPE', 'EBADF', 'ENOTCONN'].includes(codeOf(error) ?? '');
}
