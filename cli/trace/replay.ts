/** `seqpacket replay` */
import { connect, listen, type Message, type SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import { describeAll, inWords } from '../kernel/descriptors.js';
import { sendWhole } from '../messages/sending.js';
import { EXIT } from '../process/exit-codes.js';
import { cannotConnect, cannotListen, codeOf, Failure, reasonOf } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { onStop, pause, stopped } from '../process/stopping.js';
import { paint, printable, tell } from '../process/terminal.js';
import type { Direction } from './forwarding.js';
import { hexDump } from './hex-dump.js';
import { type Recorded, readRecording } from './recording.js';

export interface ReplayOptions {
  /** How many bytes of each message to show. */
  bytes: number;
  /** The number of the only connection to replay. */
  connection?: number | undefined;
  /** Whose part to play. */
  direction: 'client' | 'server';
  anyAnswer?: boolean | undefined;
  quiet?: boolean | undefined;
  timing?: boolean | undefined;
  /** How long to wait for an answer, in seconds. */
  timeout: number;
}

const ALL_FDS = { maxFds: 253 };

export async function runReplay(
  file: string,
  address: string,
  options: ReplayOptions,
): Promise<number | undefined> {
  const player = new Player(address, options);
  // One connection after the other, each in the order in which it was recorded.
  const connections = new Map<number, Recorded[]>();
  for await (const recorded of readRecording(file)) {
    if (options.connection !== undefined && recorded.connection !== options.connection) continue;
    const list = connections.get(recorded.connection);
    if (list === undefined) connections.set(recorded.connection, [recorded]);
    else list.push(recorded);
  }
  if (connections.size === 0) {
    const which = options.connection === undefined ? 'no connection' : `no connection ${options.connection}`;
    throw new Failure(`${which} with messages in ${file}`);
  }
  try {
    for (const [number, recorded] of connections) {
      if (stopped.aborted) return undefined;
      await player.play(number, recorded);
    }
  } finally {
    player.close();
  }
  if (stopped.aborted) return undefined;
  if (!options.quiet || player.differences > 0) stdout.write(`${player.summary}\n`);
  return player.differences > 0 ? EXIT.failure : EXIT.success;
}

class Player {
  differences = 0;
  #sent = 0;
  #received = 0;
  #same = 0;
  readonly #address: string;
  readonly #options: ReplayOptions;
  readonly #ours: Direction;
  #acceptor: ReturnType<typeof listen> | undefined;

  constructor(address: string, options: ReplayOptions) {
    this.#address = address;
    this.#options = options;
    this.#ours = options.direction === 'client' ? 'to server' : 'to client';
    if (options.direction !== 'server') return;
    try {
      this.#acceptor = listen(parseAddress(address), { emptyMessages: 'deliver' });
    } catch (error) {
      throw cannotListen(address, error);
    }
    onStop(() => this.close());
    tell(`listening at ${address}`);
  }

  get summary(): string {
    const answers = this.#options.anyAnswer
      ? `${this.#received} received, not compared`
      : `${this.#same} of ${this.#received} received as recorded, ${this.differences} ${this.differences === 1 ? 'difference' : 'differences'}`;
    return `${this.#sent} sent, ${answers}`;
  }

  close(): void {
    this.#acceptor?.close();
  }

  async play(number: number, recorded: readonly Recorded[]): Promise<void> {
    const socket = await this.#peer();
    if (socket === undefined) return;
    const close = () => socket.close();
    onStop(close);
    const inbox = new Inbox(socket);
    try {
      const start = performance.now() * 1000 - recorded[0]!.time;
      for (const each of recorded) {
        if (each.direction === this.#ours) {
          if (this.#options.timing) await pause((each.time + start) / 1000 - performance.now());
          if (stopped.aborted) return;
          await this.#send(socket, number, each);
        } else if (!(await this.#expect(inbox, number, each))) return;
      }
    } finally {
      stopped.removeEventListener('abort', close);
      socket.close();
    }
  }

  async #peer(): Promise<SeqpacketSocket | undefined> {
    try {
      if (this.#acceptor !== undefined) return await this.#acceptor.accept();
      return await connect(parseAddress(this.#address), { emptyMessages: 'deliver', signal: stopped });
    } catch (error) {
      if (stopped.aborted) return undefined;
      throw cannotConnect(this.#address, error);
    }
  }

  async #send(socket: SeqpacketSocket, number: number, { data, descriptors }: Recorded): Promise<void> {
    if (data === undefined) {
      this.#show('->', number, 'end of file');
      if (socket.isOpen) socket.shutdown('send');
      return;
    }
    this.#show('->', number, `${data.length} bytes`, data);
    for (const descriptor of descriptors) tell(`#${number} sent without its ${descriptor}`);
    try {
      await sendWhole(socket, data, []);
      this.#sent++;
    } catch (error) {
      throw new Failure(`#${number}: a message was not sent: ${reasonOf(error)}`);
    }
  }

  /** Waits for what was recorded; whether the connection goes on. */
  async #expect(inbox: Inbox, number: number, { data }: Recorded): Promise<boolean> {
    const message = await this.#receive(inbox, data === undefined ? 'the end' : 'an answer', number);
    if (stopped.aborted) return false;
    if (message === undefined) {
      if (data === undefined) this.#show('<-', number, 'end of file');
      else this.#differ(number, `end of file instead of ${data.length} bytes`, data);
      return data === undefined;
    }
    for (const fd of message.fds) fd.close();
    this.#received++;
    if (data === undefined) {
      this.#differ(
        number,
        `${message.data.length} bytes instead of the end of file`,
        undefined,
        message.data,
      );
      return false;
    }
    if (this.#options.anyAnswer || message.data.equals(data)) {
      this.#same++;
      this.#show('<-', number, `${message.data.length} bytes`, message.data);
    } else {
      this.#differ(number, `${message.data.length} bytes that differ`, data, message.data);
    }
    return true;
  }

  /** Undefined at the end of file. */
  async #receive(inbox: Inbox, what: string, number: number): Promise<Message | undefined> {
    const { timeout } = this.#options;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeout * 1000);
    try {
      const message = await inbox.next(controller.signal);
      if (message !== undefined && !this.#options.quiet) {
        for (const [index, what] of describeAll(message.fds).entries()) {
          tell(`#${number} received descriptor ${index}: ${inWords(what)}`);
        }
      }
      return message;
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      throw new Failure(
        `#${number}: ${what} that was recorded did not come within ${timeout} s`,
        EXIT.timeout,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  #show(arrow: string, number: number, text: string, data?: Buffer): void {
    if (this.#options.quiet) return;
    stdout.write(`${paint(arrow === '->' ? 'green' : 'blue', `#${number} ${arrow} ${text}`)}\n`);
    if (data !== undefined) stdout.write(hexDump(data, this.#options.bytes));
  }

  #differ(number: number, text: string, recorded: Buffer | undefined, received?: Buffer): void {
    this.differences++;
    const { bytes } = this.#options;
    stdout.write(`${paint('red', `#${number} <- ${printable(text)}`)}\n`);
    if (recorded !== undefined) stdout.write(`  recorded:\n${hexDump(recorded, bytes)}`);
    if (received !== undefined) stdout.write(`  received:\n${hexDump(received, bytes)}`);
  }
}

/** What has come and is not looked at yet: it is received meanwhile, or two might wait for each other to receive. */
class Inbox {
  readonly #messages: Message[] = [];
  #isOver = false;
  #error: unknown;
  #wake = () => {};

  constructor(socket: SeqpacketSocket) {
    this.#receive(socket);
  }

  /** Undefined at the end of file. */
  async next(signal: AbortSignal): Promise<Message | undefined> {
    while (this.#messages.length === 0 && !this.#isOver) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    if (this.#messages.length === 0 && this.#error !== undefined) throw this.#error;
    return this.#messages.shift();
  }

  async #receive(socket: SeqpacketSocket): Promise<void> {
    try {
      for await (const message of socket.messages(ALL_FDS)) {
        this.#messages.push(message);
        this.#wake();
      }
    } catch (error) {
      if (!['ECONNRESET', 'ECANCELED'].includes(codeOf(error) ?? '')) this.#error = error;
    }
    this.#isOver = true;
    this.#wake();
  }
}
