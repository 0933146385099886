/** `seqpacket replay` */
import type { Message, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { acceptFrom, connectTo, listenAt } from '../connections/open.js';
import { describeDescriptors, formatDescription } from '../kernel/descriptors.js';
import { MAX_FDS, sendMessage } from '../messages/sending.js';
import { EXIT } from '../process/exit-codes.js';
import { codeOf, Failure, reasonOf } from '../process/failure.js';
import { IdleTimeout } from '../process/idle-timeout.js';
import { stdout } from '../process/output.js';
import { offStop, onStop, sleep, stopSignal } from '../process/stopping.js';
import { paint, printRemark } from '../process/terminal.js';
import { isSame } from './comparison.js';
import type { Direction } from './forwarding.js';
import { hexDump } from './hex-dump.js';
import { type Recorded, type RecordedEvent, type RecordedMessage, readRecording } from './recording.js';

export interface ReplayOptions {
  /** How many bytes of each message to show. */
  bytes: number;
  /** The number of the only connection to replay. */
  connection?: number | undefined;
  /** The side to play. */
  direction: 'client' | 'server';
  anyAnswer?: boolean | undefined;
  /** The parts of answers that are not compared. */
  ignore?: RegExp[] | undefined;
  quiet?: boolean | undefined;
  timing?: boolean | undefined;
  /** How long to wait for an answer, in seconds. */
  timeout: number;
}

/** A message, or the end of a direction. */
type Step = RecordedMessage | RecordedEvent;

function isStep(recorded: Recorded): recorded is Step {
  return recorded.type === 'message' || (recorded.type === 'event' && recorded.event !== 'not delivered');
}

export async function runReplay(
  file: string,
  address: string,
  options: ReplayOptions,
): Promise<number | undefined> {
  const player = new Player(address, options);
  const connections = new Map<number, Step[]>();
  for await (const recorded of readRecording(file)) {
    if (options.connection !== undefined && recorded.connection !== options.connection) continue;
    if (!isStep(recorded)) continue;
    const list = connections.get(recorded.connection);
    if (list === undefined) connections.set(recorded.connection, [recorded]);
    else list.push(recorded);
  }
  if (stopSignal.aborted) return undefined;
  if (connections.size === 0) {
    const which = options.connection === undefined ? 'no connection' : `no connection ${options.connection}`;
    throw new Failure(`${which} with messages in ${file}`);
  }
  try {
    for (const [number, recorded] of connections) {
      if (stopSignal.aborted) return undefined;
      await player.play(number, recorded);
    }
  } finally {
    player.close();
  }
  if (stopSignal.aborted) return undefined;
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
  readonly #ownDirection: Direction;
  #acceptor: SeqpacketAcceptor | undefined;

  constructor(address: string, options: ReplayOptions) {
    this.#address = address;
    this.#options = options;
    this.#ownDirection = options.direction === 'client' ? 'to server' : 'to client';
    if (options.direction !== 'server') return;
    this.#acceptor = listenAt(address, { emptyMessages: 'deliver' });
    onStop(() => this.close());
    printRemark(`listening at ${address}`);
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

  async play(number: number, recorded: readonly Step[]): Promise<void> {
    const socket = await this.#open();
    if (socket === undefined) return;
    const close = () => socket.close();
    onStop(close);
    const inbox = new Inbox(socket);
    try {
      const start = performance.now() * 1000 - recorded[0]!.time;
      for (const each of recorded) {
        if (each.direction === this.#ownDirection) {
          if (this.#options.timing) await sleep((each.time + start) / 1000 - performance.now());
          if (stopSignal.aborted) return;
          await this.#send(socket, number, each);
        } else if (!(await this.#expect(inbox, number, each))) return;
      }
    } finally {
      offStop(close);
      socket.close();
    }
  }

  #open(): Promise<SeqpacketSocket | undefined> {
    if (this.#acceptor !== undefined) return acceptFrom(this.#acceptor);
    return connectTo(this.#address, { emptyMessages: 'deliver' });
  }

  async #send(socket: SeqpacketSocket, number: number, step: Step): Promise<void> {
    if (step.type === 'event') {
      this.#show('->', number, 'end of file');
      if (socket.isOpen) socket.shutdown('send');
      return;
    }
    const { data } = step.message;
    this.#show('->', number, `${data.length} bytes`, data);
    for (const [index, description] of step.descriptions.entries()) {
      printRemark(`#${number} sent without descriptor ${index}: ${formatDescription(description)}`);
    }
    try {
      await sendMessage(socket, data, []);
      this.#sent++;
    } catch (error) {
      throw new Failure(`#${number}: a message was not sent: ${reasonOf(error)}`);
    }
  }

  /** Compares the next message or end of file with the recording. Returns whether the connection continues. */
  async #expect(inbox: Inbox, number: number, step: Step): Promise<boolean> {
    const data = step.type === 'message' ? step.message.data : undefined;
    const message = await this.#receive(
      inbox,
      data === undefined ? 'the recorded end of file' : 'a recorded message',
      number,
    );
    if (stopSignal.aborted) return false;
    if (message === undefined) {
      if (data === undefined) this.#show('<-', number, 'end of file');
      else this.#reportDifference(number, `end of file instead of ${data.length} bytes`, data);
      return data === undefined;
    }
    for (const fd of message.fds) fd.close();
    this.#received++;
    if (data === undefined) {
      this.#reportDifference(
        number,
        `${message.data.length} bytes instead of the end of file`,
        undefined,
        message.data,
      );
      return false;
    }
    if (this.#options.anyAnswer || isSame(message.data, data, this.#options.ignore)) {
      this.#same++;
      this.#show('<-', number, `${message.data.length} bytes`, message.data);
    } else {
      this.#reportDifference(number, `${message.data.length} bytes that differ`, data, message.data);
    }
    return true;
  }

  /** Undefined at the end of file, and if the process is to stop. */
  async #receive(inbox: Inbox, expected: string, number: number): Promise<Message | undefined> {
    const timeout = new IdleTimeout(this.#options.timeout);
    try {
      const message = await inbox.next(timeout.signal);
      if (message !== undefined && !this.#options.quiet) {
        for (const [index, description] of describeDescriptors(message.fds).entries()) {
          printRemark(`#${number} received descriptor ${index}: ${formatDescription(description)}`);
        }
      }
      return message;
    } catch (error) {
      if (stopSignal.aborted) return undefined;
      if (!timeout.hasExpired) throw error;
      throw new Failure(
        `#${number}: ${expected} was not received within ${this.#options.timeout} s`,
        EXIT.timeout,
      );
    } finally {
      timeout.end();
    }
  }

  #show(arrow: string, number: number, text: string, data?: Buffer): void {
    if (this.#options.quiet) return;
    stdout.write(`${paint(arrow === '->' ? 'green' : 'blue', `#${number} ${arrow} ${text}`)}\n`);
    if (data !== undefined) stdout.write(hexDump(data, this.#options.bytes));
  }

  #reportDifference(number: number, text: string, recorded: Buffer | undefined, received?: Buffer): void {
    this.differences++;
    const { bytes } = this.#options;
    stdout.write(`${paint('red', `#${number} <- ${text}`)}\n`);
    if (recorded !== undefined) stdout.write(`  recorded:\n${hexDump(recorded, bytes)}`);
    if (received !== undefined) stdout.write(`  received:\n${hexDump(received, bytes)}`);
  }
}

/** Received messages. Receiving goes on while this side sends, so that two full queues cannot block each other. */
class Inbox {
  readonly #messages: Message[] = [];
  #hasEnded = false;
  #error: unknown;
  #wake = () => {};

  constructor(socket: SeqpacketSocket) {
    this.#receive(socket);
  }

  /** Undefined at the end of file. */
  async next(signal: AbortSignal): Promise<Message | undefined> {
    while (this.#messages.length === 0 && !this.#hasEnded) {
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
      for await (const message of socket.messages({ maxFds: MAX_FDS })) {
        this.#messages.push(message);
        this.#wake();
      }
    } catch (error) {
      if (!['ECONNRESET', 'ECANCELED'].includes(codeOf(error) ?? '')) this.#error = error;
    }
    this.#hasEnded = true;
    this.#wake();
  }
}
