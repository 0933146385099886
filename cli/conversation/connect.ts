/** `seqpacket connect` */
import { connectTo } from '../connections/open.js';
import type { Framing } from '../messages/framing.js';
import { printRemark } from '../process/terminal.js';
import { exchange } from './exchange.js';
import { type ConversationOptions, prepareSession, requestCredentials, Session } from './session.js';

export async function runConnect(
  address: string,
  framing: Framing,
  options: ConversationOptions,
): Promise<undefined> {
  const prepared = await prepareSession(framing, options);
  const { timeout } = prepared;
  try {
    const socket = await connectTo(address, { emptyMessages: 'deliver', timeout });
    if (socket === undefined) return;
    requestCredentials(framing, socket);
    const session = new Session(prepared);
    if (session.isPrompted) printRemark(`connected to ${address}: each line is a message; Ctrl-D ends`);
    await exchange(session, socket);
  } finally {
    timeout.end();
  }
}
