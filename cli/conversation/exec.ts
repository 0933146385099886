/** `listen --exec`: each client gets a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { SeqpacketSocket } from 'seqpacket';
import type { Framing } from '../messages/framing.js';
import { StreamLines } from '../messages/lines.js';
import { PeerHasClosed, sendOutgoing } from '../messages/sending.js';
import { now } from '../process/clock.js';
import { drained } from '../process/draining.js';
import { codeOf, Failure } from '../process/failure.js';
import type { Patience } from '../process/idle-timeout.js';
import { tell } from '../process/terminal.js';
import { type Presentation, peerOf } from './display.js';

export const EXEC_AS = ['lines', 'fd', 'stdio'] as const;

/** Lines on standard input and output, the socket as descriptor 3, or as standard input and output. */
export type ExecAs = (typeof EXEC_AS)[number];

const SHELL = '/bin/sh';

/**
 * The socket comes as standard input and is moved: libuv makes a child's descriptors 0 to 2 blocking, which programs
 * expect of what they inherit, and leaves all others as they are. LISTEN_PID has to be the process that becomes the
 * command: sd_listen_fds(3).
 */
const AS_DESCRIPTOR_3 = `exec 3<&0 </dev/null; export LISTEN_PID=$$; exec ${SHELL} -c "$1"`;

/** How clients are served. */
export interface Service {
  command: string;
  as: ExecAs;
  framing: Framing;
  /** Whether empty lines of the command's output are empty messages. */
  sendEmpty: boolean;
  /** When it has run out, the command is ended. */
  patience: Patience;
}

export async function serveByCommand(
  socket: SeqpacketSocket,
  number: number,
  service: Service,
  presentation: Presentation,
): Promise<void> {
  const { command, as, patience } = service;
  const peer = peerOf(socket);
  presentation.opened(number, peer);
  const env: NodeJS.ProcessEnv = { ...process.env, SEQPACKET_CONNECTION: String(number) };
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (peer !== undefined) {
    env['SEQPACKET_PEER_PID'] = String(peer.pid);
    env['SEQPACKET_PEER_UID'] = String(peer.uid);
    env['SEQPACKET_PEER_GID'] = String(peer.gid);
  }
  let child: ChildProcess | undefined;
  const kill = () => {
    child?.kill();
    // What the command has started may live on, and hold on to its output.
    child?.stdout?.destroy();
    socket.close();
  };
  try {
    child = as === 'lines' ? bridgedChild(command, env) : inheritingChild(socket, command, as, env);
    patience.signal.addEventListener('abort', kill, { once: true });
    if (patience.signal.aborted) kill();
    const ended = exitOf(child);
    if (as === 'lines') await bridge(socket, child, ended, service);
    const status = await ended;
    presentation.closed(number);
    if (status !== undefined && !patience.signal.aborted)
      throw new Failure(`the command ended with ${status}`);
  } finally {
    patience.signal.removeEventListener('abort', kill);
    socket.close();
  }
}

function bridgedChild(command: string, env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(SHELL, ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'], env });
}

/** The child has the only descriptor of the connection then. */
function inheritingChild(
  socket: SeqpacketSocket,
  command: string,
  as: 'fd' | 'stdio',
  env: NodeJS.ProcessEnv,
): ChildProcess {
  using descriptor = socket.release();
  const { fd } = descriptor;
  if (as === 'stdio') return spawn(SHELL, ['-c', command], { stdio: [fd, fd, 'inherit'], env });
  return spawn(SHELL, ['-c', AS_DESCRIPTOR_3, SHELL, asProcess(command)], {
    stdio: [fd, 'inherit', 'inherit'],
    env: { ...env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'connection' },
  });
}

/** Not every shell becomes the command that it is to run; without LISTEN_PID being its own, it would not listen. */
function asProcess(command: string): string {
  const isSimple = /^[\w./~-]+(\s|$)/.test(command) && !/[;&|<>()`\n]/.test(command);
  return isSimple ? `exec ${command}` : command;
}

/** Undefined for a good end. */
async function exitOf(child: ChildProcess): Promise<string | undefined> {
  const [code, signal] = await once(child, 'exit');
  if (signal !== null) return `signal ${signal}`;
  return code === 0 ? undefined : `exit code ${code}`;
}

/** What the client sends is the command's input, line by line, and its lines of output are sent to the client. */
async function bridge(
  socket: SeqpacketSocket,
  child: ChildProcess,
  ended: Promise<unknown>,
  service: Service,
): Promise<void> {
  const { stdin, stdout } = child as ChildProcess & { stdin: Writable; stdout: Readable };
  stdin.on('error', () => {});
  const feeding = feed(socket, stdin, service);
  // It is awaited below; until then, nobody is to be served any more if it fails.
  feeding.catch(() => socket.close());
  await answer(socket, stdout, service);
  await ended;
  // Whoever is served by a command is served as long as it runs.
  socket.close();
  await feeding;
}

async function feed(socket: SeqpacketSocket, stdin: Writable, { framing, patience }: Service): Promise<void> {
  try {
    for await (const message of socket.messages({ maxFds: 0 })) {
      patience.touch();
      if (message.controlTruncated) tell('descriptors were closed: --exec-as fd lets a command receive them');
      if (stdin.destroyed) {
        // The command has closed its input: as a peer that shuts down receiving.
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

async function answer(
  socket: SeqpacketSocket,
  stdout: Readable,
  { framing, sendEmpty, patience }: Service,
): Promise<void> {
  const lines = new StreamLines(stdout, framing.delimiter);
  try {
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      const message = framing.decode(line, sendEmpty);
      if (message !== undefined) await sendOutgoing(socket, message);
      patience.touch();
    }
    if (socket.isOpen) socket.shutdown('send');
  } catch (error) {
    // The command gets SIGPIPE when it writes again.
    stdout.destroy();
    if (socket.isOpen && !isEndOfConnection(error)) throw error;
  }
}

function isEndOfConnection(error: unknown): boolean {
  if (error instanceof PeerHasClosed) return true;
  return ['ECANCELED', 'ECONNRESET', 'EPIPE', 'EBADF', 'ENOTCONN'].includes(codeOf(error) ?? '');
}
