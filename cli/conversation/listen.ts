/** `seqpacket listen` */
import type { SeqpacketAcceptor } from 'seqpacket';
import { acceptFrom, listenAt } from '../connections/open.js';
import type { Framing } from '../messages/framing.js';
import { EXIT } from '../process/exit-codes.js';
import { Failure } from '../process/failure.js';
import { onStop } from '../process/stopping.js';
import { isInteractive, printRemark } from '../process/terminal.js';
import { serveGroup } from './client-group.js';
import { exchange } from './exchange.js';
import { type ExecOptions, serveWithCommands } from './exec.js';
import { type ConversationOptions, prepareSession, requestCredentials, Session } from './session.js';

export interface ListenOptions extends ConversationOptions, ExecOptions {
  exec?: string | undefined;
  mode?: number | undefined;
}

export async function runListen(
  address: string,
  framing: Framing,
  options: ListenOptions,
): Promise<undefined> {
  const { exec, execAs, keep, mode, verbose } = options;
  if (address.startsWith('@') && mode !== undefined) {
    throw new Failure('--mode is for socket files: an abstract name has no permissions', EXIT.usage);
  }
  // A command that inherits the socket gets one with default options.
  const emptyMessages = exec !== undefined && execAs !== 'lines' ? 'eof' : 'deliver';
  const acceptor = listenAt(address, { mode, emptyMessages });
  try {
    onStop(() => acceptor.close());
    if (verbose || isInteractive()) printRemark(`listening at ${address}`);
    if (exec !== undefined) await serveWithCommands(acceptor, exec, framing, options);
    else if (keep) await serveGroup(acceptor, framing, options);
    else await serveOne(acceptor, framing, options);
  } finally {
    acceptor.close();
  }
}

async function serveOne(
  acceptor: SeqpacketAcceptor,
  framing: Framing,
  options: ConversationOptions,
): Promise<void> {
  const prepared = await prepareSession(framing, options);
  const { timeout } = prepared;
  try {
    requestCredentials(framing, acceptor);
    const socket = await acceptFrom(acceptor, timeout);
    if (socket === undefined) return;
    // Further clients fail to connect, instead of waiting in the backlog.
    acceptor.close();
    timeout.restart();
    await exchange(new Session(prepared, { isServer: true }), socket);
  } finally {
    timeout.end();
  }
}
