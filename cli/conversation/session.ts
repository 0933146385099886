/** The state that all connections of one run of `connect` or `listen` share. */
import type { SeqpacketSocket } from 'seqpacket';
import { peerOf } from '../connections/peer.js';
import type { Framing } from '../messages/framing.js';
import { PromptedLines } from '../messages/lines.js';
import type { Outgoing } from '../messages/message.js';
import { ArgumentMessages, InputMessages, type MessageSource, parseArguments } from '../messages/sources.js';
import { IdleTimeout } from '../process/idle-timeout.js';
import { isInteractive } from '../process/terminal.js';
import { Conversation } from './conversation.js';
import { Display } from './display.js';
import { type DescriptorOptions, ReceivedDescriptors } from './received-descriptors.js';

export interface ConversationOptions extends DescriptorOptions {
  /** The messages to send, instead of standard input. */
  message?: string[] | undefined;
  /** Whether an empty line is an empty message. */
  sendEmpty?: boolean | undefined;
  /** Descriptors to pass with the first message of each connection. */
  fd?: (string | number)[] | undefined;
  /** Seconds. */
  timeout?: number | undefined;
  verbose?: boolean | undefined;
}

/** The part of a session that is made before there is a connection, so that invalid options fail first. */
export interface PreparedSession {
  framing: Framing;
  options: ConversationOptions;
  timeout: IdleTimeout;
  /** The messages of `--message`; undefined: standard input is sent. */
  messages: readonly Outgoing[] | undefined;
  received: ReceivedDescriptors;
}

/** Starts the timeout; the caller must end it. */
export async function prepareSession(
  framing: Framing,
  options: ConversationOptions,
): Promise<PreparedSession> {
  const { message, sendEmpty = false } = options;
  const messages = message && parseArguments(message, framing, sendEmpty);
  const timeout = new IdleTimeout(options.timeout);
  const received = await ReceivedDescriptors.create(options, timeout);
  return { framing, options, timeout, messages, received };
}

/** JSON shows the sender's credentials of each message. */
export function requestCredentials(
  framing: Framing,
  endpoint: { setOption(name: 'passCredentials', value: boolean): void },
): void {
  if (framing.coding === 'json') endpoint.setOption('passCredentials', true);
}

export class Session {
  readonly timeout: IdleTimeout;
  readonly received: ReceivedDescriptors;
  readonly display: Display;
  /** Whether the user types on a terminal. */
  readonly isPrompted: boolean;
  /** Standard input; undefined with `--message`. */
  readonly input: MessageSource | undefined;
  /** The messages of `--message`. */
  readonly messages: readonly Outgoing[] | undefined;
  readonly #firstFds: readonly (string | number)[];

  /**
   * @param isServer a server on a terminal reports its connections without --verbose
   * @param isNumbered whether there can be several connections
   */
  constructor(
    { framing, options, timeout, messages, received }: PreparedSession,
    { isServer = false, isNumbered = false } = {},
  ) {
    const prompt = messages === undefined && isInteractive() ? new PromptedLines() : undefined;
    this.isPrompted = prompt !== undefined;
    const isVerbose = options.verbose === true || (isServer && this.isPrompted);
    this.timeout = timeout;
    this.received = received;
    this.messages = messages;
    this.display = new Display(framing, isVerbose, isNumbered, prompt);
    this.input =
      messages === undefined ? new InputMessages(framing, options.sendEmpty === true, prompt) : undefined;
    this.#firstFds = options.fd ?? [];
  }

  /** The messages to send on the only connection. */
  get source(): MessageSource {
    return this.input ?? new ArgumentMessages(this.messages ?? []);
  }

  open(socket: SeqpacketSocket, number: number): Conversation {
    this.display.opened(number, peerOf(socket));
    return new Conversation(socket, number, this.display, this.timeout, this.received, this.#firstFds);
  }
}
