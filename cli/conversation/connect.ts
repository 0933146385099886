/** `seqpacket connect` */
import { connectTo } from '../connections/open.js';
import type { Framing } from '../messages/framing.js';
import { printRemark } from '../process/terminal.js';
import { type Ending, exchange } from './exchange.js';
import { type ConversationOptions, prepareSession, requestCredentials, Session } from './session.js';

export interface ConnectOptions extends ConversationOptions {
  /** The number of messages after which the command ends. */
  count?: number | undefined;
  /** Whether sending is shut down at once after the last message, or never; undefined: see `endingOf`. */
  shutdown?: boolean | undefined;
}

/** @param isPrompted Ctrl-D is an explicit request for the end of file */
function endingOf({ count, shutdown }: ConnectOptions, isPrompted: boolean): Ending {
  if (shutdown !== undefined) return { count, shutdown: shutdown ? 'at once' : 'never' };
  if (isPrompted) return { count, shutdown: 'at once' };
  return { count, shutdown: count === undefined ? 'after answers' : 'never' };
}

export async function runConnect(
  address: string,
  framing: Framing,
  options: ConnectOptions,
): Promise<undefined> {
  const prepared = await prepareSession(framing, options);
  const { timeout } = prepared;
  try {
    const socket = await connectTo(address, { emptyMessages: 'deliver', timeout });
    if (socket === undefined) return;
    requestCredentials(framing, socket);
    const session = new Session(prepared);
    if (session.isPrompted) printRemark(`connected to ${address}: each line is a message; Ctrl-D ends`);
    await exchange(session, socket, endingOf(options, session.isPrompted));
  } finally {
    timeout.end();
  }
}
