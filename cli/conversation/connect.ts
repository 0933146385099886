/** `seqpacket connect` */
import { connect, type SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import type { Framing } from '../messages/framing.js';
import { PromptedLines } from '../messages/lines.js';
import {
  GivenMessages,
  InputMessages,
  type OutgoingOptions,
  type OutgoingSource,
} from '../messages/sources.js';
import { cannotConnect, Failure, reasonOf } from '../process/failure.js';
import { Patience } from '../process/idle-timeout.js';
import { onStop, stopped } from '../process/stopping.js';
import { isInteractive, tell } from '../process/terminal.js';
import { Conversation } from './conversation.js';
import { Presentation, peerOf } from './display.js';
import { type DescriptorOptions, ReceivedDescriptors } from './received-descriptors.js';

export interface TalkOptions extends OutgoingOptions, DescriptorOptions {
  fd?: (string | number)[] | undefined;
  timeout?: number | undefined;
  verbose?: boolean | undefined;
}

/** How long to wait for more input when the peer has said all that it will. */
const LINGER_MS = 500;

export async function runConnect(
  address: string,
  framing: Framing,
  options: TalkOptions,
): Promise<number | undefined> {
  const patience = new Patience(options.timeout);
  const given =
    options.message !== undefined
      ? new GivenMessages(options.message, framing, options.sendEmpty === true)
      : undefined;
  const received = await ReceivedDescriptors.create(options, patience);
  const socket = await connected(address, patience);
  if (socket === undefined) return undefined;
  const prompt = given === undefined && isInteractive() ? new PromptedLines() : undefined;
  if (prompt !== undefined) tell(`connected to ${address}: each line is a message; Ctrl-D ends`);
  const presentation = new Presentation(framing, options.verbose === true, false, prompt);
  if (framing.coding === 'json') socket.setOption('passCredentials', true);
  presentation.opened(1, peerOf(socket));
  const conversation = new Conversation(socket, 1, presentation, patience, received, options.fd ?? []);
  const input = given ?? new InputMessages(framing, options.sendEmpty === true, prompt);
  try {
    await talk(conversation, input, patience, prompt !== undefined);
    await received.finished();
  } finally {
    patience.end();
  }
  return undefined;
}

async function connected(address: string, patience: Patience): Promise<SeqpacketSocket | undefined> {
  try {
    return await connect(parseAddress(address), { signal: patience.signal, emptyMessages: 'deliver' });
  } catch (error) {
    if (stopped.aborted) return undefined;
    patience.check(`no connection to ${address}`);
    throw error instanceof Failure ? error : cannotConnect(address, error);
  }
}

/** Sends what there is to send, half-closes, and shows what comes until the peer's end. */
export async function talk(
  conversation: Conversation,
  input: OutgoingSource,
  patience: Patience,
  isPrompted: boolean,
): Promise<void> {
  const { socket } = conversation;
  const giveUp = () => {
    input.close();
    socket.close();
  };
  patience.signal.addEventListener('abort', giveUp, { once: true });
  onStop(giveUp);
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => {
    lingering ??= setTimeout(() => input.close(), isPrompted ? 0 : LINGER_MS);
    lingering.refresh();
  };

  const hearing = conversation.hear().then(linger, (error) => {
    input.close();
    throw error;
  });
  const sending = (async () => {
    for (let next = await input.next(); next !== undefined; next = await input.next()) {
      try {
        await conversation.send(next);
      } catch (error) {
        throw new Failure(`${input.place} was not sent: ${reasonOf(error)}`);
      }
      if (conversation.isHeard) linger();
    }
  })().finally(() => {
    input.close();
    conversation.halfClose();
  });

  const failures = (await Promise.allSettled([sending, hearing])).filter(
    (each) => each.status === 'rejected',
  );
  clearTimeout(lingering);
  socket.close();
  if (stopped.aborted) return;
  patience.check('nothing was sent or received');
  if (failures[0] !== undefined) throw failures[0].reason;
}
