/** `listen --keep`: several clients at once. The messages of all are shown; input is sent to all. */
import type { SeqpacketAcceptor } from 'seqpacket';
import type { Framing } from '../messages/framing.js';
import type { Outgoing } from '../messages/message.js';
import type { MessageSource } from '../messages/sources.js';
import { codeOf, reasonOf } from '../process/failure.js';
import { onStop, stopSignal } from '../process/stopping.js';
import { printRemark } from '../process/terminal.js';
import type { Conversation } from './conversation.js';
import { type ConversationOptions, prepareSession, requestCredentials, Session } from './session.js';

export async function serveGroup(
  acceptor: SeqpacketAcceptor,
  framing: Framing,
  options: ConversationOptions,
): Promise<void> {
  const prepared = await prepareSession(framing, options);
  try {
    requestCredentials(framing, acceptor);
    await new ClientGroup(acceptor, new Session(prepared, { isServer: true, isNumbered: true })).run();
  } finally {
    prepared.timeout.end();
  }
}

class ClientGroup {
  readonly #clients = new Map<number, Conversation>();
  readonly #acceptor: SeqpacketAcceptor;
  readonly #session: Session;
  #isInputOver = false;
  /** Resolves the promise that waits for a client. */
  #wake = () => {};

  constructor(acceptor: SeqpacketAcceptor, session: Session) {
    this.#acceptor = acceptor;
    this.#session = session;
  }

  async run(): Promise<void> {
    const { input, received, timeout } = this.#session;
    let failure: unknown;
    const end = (error?: unknown) => {
      failure ??= error;
      input?.close();
      this.#acceptor.close();
      for (const { socket } of this.#clients.values()) socket.close();
      this.#wake();
    };
    onStop(() => end());
    timeout.signal.addEventListener('abort', () => end(), { once: true });
    const distributing = input === undefined ? undefined : this.#distribute(input).catch(end);

    const serving = new Set<Promise<void>>();
    let number = 0;
    for await (const socket of this.#acceptor) {
      timeout.restart();
      const served = this.#serve(this.#session.open(socket, ++number));
      serving.add(served);
      served.finally(() => serving.delete(served));
    }
    await Promise.all(serving);
    end();
    await distributing;
    if (stopSignal.aborted) return;
    timeout.throwIfExpired('nothing was sent or received');
    if (failure !== undefined) throw failure;
    await received.finishCopies();
  }

  async #serve(client: Conversation): Promise<void> {
    const { number, socket } = client;
    const { display, messages } = this.#session;
    this.#clients.set(number, client);
    this.#wake();
    try {
      for (const message of messages ?? []) await client.send(message);
      if (messages !== undefined || this.#isInputOver) client.halfClose();
      await client.receiveAll();
    } catch (error) {
      // An error of one client does not end the others.
      if (codeOf(error) !== 'EBADF') display.failed(number, reasonOf(error));
    } finally {
      this.#clients.delete(number);
      socket.close();
      display.closed(number);
    }
  }

  async #distribute(input: MessageSource): Promise<void> {
    const { display } = this.#session;
    for (let next = await input.next(); next !== undefined; next = await input.next()) {
      const outgoing = next;
      const receivers = await this.#receivers(outgoing, input.place);
      await Promise.all(
        receivers.map((client) =>
          client.send(outgoing).catch((error) => {
            if (client.socket.isOpen) {
              display.failed(client.number, `${input.place}: ${reasonOf(error)}`);
            }
          }),
        ),
      );
    }
    this.#isInputOver = true;
    for (const client of this.#clients.values()) client.halfClose();
  }

  /** The addressed client, or all clients; waits until there is one. */
  async #receivers({ connection }: Outgoing, place: string): Promise<Conversation[]> {
    if (connection !== undefined) {
      const client = this.#clients.get(connection);
      if (client === undefined) printRemark(`${place} was not sent: there is no connection ${connection}`);
      return client === undefined ? [] : [client];
    }
    while (this.#clients.size === 0 && this.#acceptor.isOpen) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return [...this.#clients.values()];
  }
}
