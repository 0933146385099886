/** `seqpacket listen` */
import { listen, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import type { Framing, Outgoing } from '../messages/framing.js';
import { PromptedLines } from '../messages/lines.js';
import { GivenMessages, givenMessages, InputMessages, type OutgoingSource } from '../messages/sources.js';
import { EXIT } from '../process/exit-codes.js';
import { cannotListen, codeOf, Failure, reasonOf } from '../process/failure.js';
import { Patience } from '../process/idle-timeout.js';
import { onStop, stopped } from '../process/stopping.js';
import { isInteractive, tell, tellFailure } from '../process/terminal.js';
import { type TalkOptions, talk } from './connect.js';
import { Conversation } from './conversation.js';
import { Presentation, peerOf } from './display.js';
import { type ExecAs, type Service, serveByCommand } from './exec.js';
import { ReceivedDescriptors } from './received-descriptors.js';

export interface ListenOptions extends TalkOptions {
  keep?: boolean | undefined;
  mode?: number | undefined;
  exec?: string | undefined;
  execAs: ExecAs;
}

export async function runListen(
  address: string,
  framing: Framing,
  options: ListenOptions,
): Promise<number | undefined> {
  const path = parseAddress(address);
  if (path.startsWith('\0') && options.mode !== undefined) {
    throw new Failure('--mode is for socket files: an abstract name has no permissions', EXIT.usage);
  }
  const acceptor = listening(path, address, options);
  try {
    onStop(() => acceptor.close());
    if (options.verbose || isInteractive()) tell(`listening at ${address}`);
    if (options.exec !== undefined) await serveAll(acceptor, framing, options, options.exec);
    else if (options.keep) await new Gathering(acceptor, framing, options).run();
    else await talkToOne(acceptor, framing, options);
  } finally {
    acceptor.close();
  }
  return undefined;
}

function listening(path: string, address: string, { mode, exec, execAs }: ListenOptions): SeqpacketAcceptor {
  // Who inherits the socket itself expects it as it was made.
  const emptyMessages = exec !== undefined && execAs !== 'lines' ? 'eof' : 'deliver';
  try {
    return listen(path, { mode, emptyMessages });
  } catch (error) {
    throw cannotListen(address, error);
  }
}

/** The next client; undefined when everything shall end. */
async function nextClient(
  acceptor: SeqpacketAcceptor,
  patience: Patience,
  waitingFor = 'no client came',
): Promise<SeqpacketSocket | undefined> {
  try {
    return await acceptor.accept({ signal: patience.signal });
  } catch (error) {
    if (stopped.aborted) return undefined;
    patience.check(waitingFor);
    throw error;
  }
}

async function talkToOne(
  acceptor: SeqpacketAcceptor,
  framing: Framing,
  options: ListenOptions,
): Promise<void> {
  const given =
    options.message !== undefined
      ? new GivenMessages(options.message, framing, options.sendEmpty === true)
      : undefined;
  const patience = new Patience(options.timeout);
  const received = await ReceivedDescriptors.create(options, patience);
  try {
    if (framing.coding === 'json') acceptor.setOption('passCredentials', true);
    const socket = await nextClient(acceptor, patience);
    if (socket === undefined) return;
    // The next one shall find that nobody is here, rather than wait in a queue for ever.
    acceptor.close();
    patience.touch();
    const prompt = given === undefined && isInteractive() ? new PromptedLines() : undefined;
    const presentation = new Presentation(
      framing,
      options.verbose === true || prompt !== undefined,
      false,
      prompt,
    );
    presentation.opened(1, peerOf(socket));
    const conversation = new Conversation(socket, 1, presentation, patience, received, options.fd ?? []);
    const input = given ?? new InputMessages(framing, options.sendEmpty === true, prompt);
    await talk(conversation, input, patience, prompt !== undefined);
    await received.finished();
  } finally {
    patience.end();
  }
}

/** Each client gets a process of its own. */
async function serveAll(
  acceptor: SeqpacketAcceptor,
  framing: Framing,
  options: ListenOptions,
  command: string,
): Promise<void> {
  const { keep, execAs, sendEmpty = false } = options;
  const services = new Set<Promise<void>>();
  const patience = new Patience(options.timeout);
  const service: Service = { command, as: execAs, framing, sendEmpty, patience };
  const quiet = 'nothing was sent or received';
  try {
    for (let number = 1; ; number++) {
      const socket = await nextClient(acceptor, patience, number === 1 ? undefined : quiet);
      if (socket === undefined) break;
      patience.touch();
      if (!keep) acceptor.close();
      const presentation = new Presentation(framing, options.verbose === true, keep === true, undefined);
      const serving = serveByCommand(socket, number, service, presentation);
      // What goes over a socket that the command has is not seen here.
      const served = execAs === 'lines' ? serving : patience.during(serving);
      if (!keep) {
        await served;
        patience.check(quiet);
        return;
      }
      const watched = served.catch((error) => tellFailure(`#${number} ${reasonOf(error)}`));
      services.add(watched);
      watched.finally(() => services.delete(watched));
    }
  } finally {
    patience.end();
    await Promise.all(services);
  }
}

/** Many clients at once: what one sends is shown, what is typed goes to all. */
class Gathering {
  readonly #clients = new Map<number, Conversation>();
  #given: Outgoing[] | undefined;
  readonly #acceptor: SeqpacketAcceptor;
  readonly #framing: Framing;
  readonly #options: ListenOptions;
  #isInputOver = false;
  #someoneCame = () => {};

  constructor(acceptor: SeqpacketAcceptor, framing: Framing, options: ListenOptions) {
    this.#acceptor = acceptor;
    this.#framing = framing;
    this.#options = options;
    const { message } = options;
    if (message !== undefined) this.#given = givenMessages(message, framing, options.sendEmpty === true);
  }

  async run(): Promise<void> {
    const options = this.#options;
    const framing = this.#framing;
    const patience = new Patience(options.timeout);
    const received = await ReceivedDescriptors.create(options, patience);
    const prompt = this.#given === undefined && isInteractive() ? new PromptedLines() : undefined;
    const presentation = new Presentation(
      framing,
      options.verbose === true || prompt !== undefined,
      true,
      prompt,
    );
    if (framing.coding === 'json') this.#acceptor.setOption('passCredentials', true);
    const input =
      this.#given === undefined ? new InputMessages(framing, options.sendEmpty === true, prompt) : undefined;

    try {
      let failure: unknown;
      const end = (error?: unknown) => {
        failure ??= error;
        input?.close();
        this.#acceptor.close();
        for (const { socket } of this.#clients.values()) socket.close();
        this.#someoneCame();
      };
      onStop(() => end());
      patience.signal.addEventListener('abort', () => end(), { once: true });
      const distributing = input === undefined ? undefined : this.#distribute(input, presentation).catch(end);

      const serving = new Set<Promise<void>>();
      let number = 0;
      for await (const socket of this.#acceptor) {
        patience.touch();
        const conversation = new Conversation(
          socket,
          ++number,
          presentation,
          patience,
          received,
          options.fd ?? [],
        );
        const served = this.#serve(conversation, presentation);
        serving.add(served);
        served.finally(() => serving.delete(served));
      }
      await Promise.all(serving);
      end();
      await distributing;
      if (stopped.aborted) return;
      patience.check('nothing was sent or received');
      if (failure !== undefined) throw failure;
      await received.finished();
    } finally {
      patience.end();
    }
  }

  async #serve(client: Conversation, presentation: Presentation): Promise<void> {
    const { number, socket } = client;
    presentation.opened(number, peerOf(socket));
    this.#clients.set(number, client);
    this.#someoneCame();
    try {
      for (const message of this.#given ?? []) await client.send(message);
      if (this.#given !== undefined || this.#isInputOver) client.halfClose();
      await client.hear();
    } catch (error) {
      // One client's trouble is not the others'.
      if (codeOf(error) !== 'EBADF') presentation.failed(number, reasonOf(error));
    } finally {
      this.#clients.delete(number);
      socket.close();
      presentation.closed(number);
    }
  }

  async #distribute(input: OutgoingSource, presentation: Presentation): Promise<void> {
    for (let next = await input.next(); next !== undefined; next = await input.next()) {
      const receivers = await this.#receivers(next, input.place);
      const outgoing = next;
      await Promise.all(
        receivers.map((client) =>
          client.send(outgoing).catch((error) => {
            if (client.socket.isOpen)
              presentation.failed(client.number, `${input.place}: ${reasonOf(error)}`);
          }),
        ),
      );
    }
    this.#isInputOver = true;
    for (const client of this.#clients.values()) client.halfClose();
  }

  /** All clients, of which there has to be one, or the one that the message is for. */
  async #receivers({ connection }: Outgoing, place: string): Promise<Conversation[]> {
    if (connection !== undefined) {
      const client = this.#clients.get(connection);
      if (client === undefined) tell(`${place} was not sent: there is no connection ${connection}`);
      return client === undefined ? [] : [client];
    }
    while (this.#clients.size === 0 && this.#acceptor.isOpen) {
      await new Promise<void>((resolve) => {
        this.#someoneCame = resolve;
      });
    }
    return [...this.#clients.values()];
  }
}
