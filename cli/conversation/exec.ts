/** `listen --exec`: starts a command for each client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { acceptFrom } from '../connections/open.js';
import { type Peer, peerOf } from '../connections/peer.js';
import type { Framing } from '../messages/framing.js';
import { Failure, reasonOf } from '../process/failure.js';
import { IdleTimeout } from '../process/idle-timeout.js';
import { printError } from '../process/terminal.js';
import { bridge } from './command-bridge.js';
import { Display } from './display.js';

export const EXEC_AS = ['lines', 'fd', 'stdio'] as const;

/**
 * How the command gets the connection: messages as lines of its standard input and output, the socket as descriptor 3, or
 * the socket as standard input and output.
 */
export type ExecAs = (typeof EXEC_AS)[number];

export interface ExecOptions {
  execAs: ExecAs;
  /** Whether to continue after the first client. */
  keep?: boolean | undefined;
  /** Whether empty lines of the command's output are empty messages. */
  sendEmpty?: boolean | undefined;
  /** Seconds without a message after which the commands are ended. */
  timeout?: number | undefined;
  verbose?: boolean | undefined;
}

const SHELL = '/bin/sh';

/**
 * The socket is inherited as standard input and then moved to 3, since libuv puts only a child's descriptors 0 to 2 in
 * blocking mode, which most programs expect. LISTEN_PID must be the process id of the command: sd_listen_fds(3).
 */
const AS_DESCRIPTOR_3 = `exec 3<&0 </dev/null; export LISTEN_PID=$$; exec ${SHELL} -c "$1"`;

export async function serveWithCommands(
  acceptor: SeqpacketAcceptor,
  command: string,
  framing: Framing,
  options: ExecOptions,
): Promise<void> {
  const { keep = false, execAs, sendEmpty = false, verbose = false } = options;
  const services = new Set<Promise<void>>();
  const timeout = new IdleTimeout(options.timeout);
  const idle = 'nothing was sent or received';
  const display = new Display(framing, verbose, keep, undefined);
  const serve = async (socket: SeqpacketSocket, number: number) => {
    const peer = peerOf(socket);
    display.opened(number, peer);
    const env = environment(number, peer);
    let child: ChildProcess | undefined;
    const kill = () => {
      child?.kill();
      // Processes that the command has started can keep its output open.
      child?.stdout?.destroy();
      socket.close();
    };
    try {
      child = execAs === 'lines' ? bridgedChild(command, env) : inheritingChild(socket, command, execAs, env);
      timeout.signal.addEventListener('abort', kill, { once: true });
      if (timeout.signal.aborted) kill();
      const ended = exitOf(child);
      if (execAs === 'lines') await bridge(socket, child, ended, { framing, sendEmpty, timeout });
      const status = await ended;
      display.closed(number);
      if (status !== undefined && !timeout.signal.aborted) {
        throw new Failure(`the command ended with ${status}`);
      }
    } finally {
      timeout.signal.removeEventListener('abort', kill);
      socket.close();
    }
  };
  try {
    for (let number = 1; ; number++) {
      const socket = await acceptFrom(acceptor, timeout, number === 1 ? undefined : idle);
      if (socket === undefined) break;
      timeout.restart();
      if (!keep) acceptor.close();
      const serving = serve(socket, number);
      // The traffic of a socket that the command itself holds cannot be observed.
      const served = execAs === 'lines' ? serving : timeout.suspendDuring(serving);
      if (!keep) {
        await served;
        timeout.throwIfExpired(idle);
        return;
      }
      const handled = served.catch((error) => printError(`#${number} ${reasonOf(error)}`));
      services.add(handled);
      handled.finally(() => services.delete(handled));
    }
  } finally {
    timeout.end();
    await Promise.all(services);
  }
}

function environment(number: number, peer: Peer | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, SEQPACKET_CONNECTION: String(number) };
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (peer !== undefined) {
    env['SEQPACKET_PEER_PID'] = String(peer.pid);
    env['SEQPACKET_PEER_UID'] = String(peer.uid);
    env['SEQPACKET_PEER_GID'] = String(peer.gid);
  }
  return env;
}

function bridgedChild(command: string, env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(SHELL, ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'], env });
}

/** Afterwards only the child holds the connection. */
function inheritingChild(
  socket: SeqpacketSocket,
  command: string,
  as: 'fd' | 'stdio',
  env: NodeJS.ProcessEnv,
): ChildProcess {
  using descriptor = socket.release();
  const { fd } = descriptor;
  if (as === 'stdio') return spawn(SHELL, ['-c', command], { stdio: [fd, fd, 'inherit'], env });
  return spawn(SHELL, ['-c', AS_DESCRIPTOR_3, SHELL, withExec(command)], {
    stdio: [fd, 'inherit', 'inherit'],
    env: { ...env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'connection' },
  });
}

/** Not every shell replaces itself with the last command, whose process id must be LISTEN_PID. */
function withExec(command: string): string {
  const isSimple = /^[\w./~-]+(\s|$)/.test(command) && !/[;&|<>()`\n]/.test(command);
  return isSimple ? `exec ${command}` : command;
}

/** Describes an exit with an error; undefined for exit code 0. */
async function exitOf(child: ChildProcess): Promise<string | undefined> {
  const [code, signal] = await once(child, 'exit');
  if (signal !== null) return `signal ${signal}`;
  return code === 0 ? undefined : `exit code ${code}`;
}
