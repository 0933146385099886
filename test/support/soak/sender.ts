/** Sends the messages of one end, in all the ways that there are. */
import { type FdSource, SeqpacketSocket } from 'seqpacket';
import { MOST } from './ledger.js';
import type { Failure, Link } from './link.js';
import { encode, headerLength, inodeOf, shaped, TOO_LONG } from './message.js';

/** Kept back for the last message, however often it is cancelled. */
const RESERVE = 200;

interface Outgoing {
  sequence: number;
  length: number;
  data: ReturnType<typeof shaped>;
}

export class Sender {
  isDone = false;
  /** The peer has closed, or this end has said that it sends no more. */
  #isOver = false;
  #deadWriter = -1;

  constructor(private readonly link: Link) {}

  async run(): Promise<void> {
    const { link } = this;
    const { random, plan, side, ledger } = link;
    const count = Math.min(plan.messages[side], MOST - RESERVE);
    while (!this.#isOver && !link.isClosed && !link.hurries && ledger.begun < count) {
      const style = random.weighted({ burst: 12, wait: 1, writer: 2 });
      link.note(`${style} from ${ledger.begun}`);
      if (style === 'burst') await this.#burst();
      else if (style === 'wait') await this.#waitAndTry();
      else await this.#write();
      if (random.chance(0.2)) await link.pause();
    }
    if (!link.isEnder) await this.#sayGoodbye();
    this.isDone = true;
  }

  async #burst(): Promise<void> {
    const { random, ledger } = this.link;
    const operations: Promise<void>[] = [];
    for (let left = random.between(1, 12); left > 0 && ledger.begun < MOST - RESERVE; left--) {
      const style = random.weighted({ send: 6, descriptors: 4, many: 2, try: 2 });
      if (style === 'send') operations.push(this.#send());
      else if (style === 'descriptors') operations.push(this.#sendWithDescriptors());
      else if (style === 'many') operations.push(this.#sendMany());
      else this.#try();
    }
    await Promise.all(operations);
  }

  #length(): number {
    const { random } = this.link;
    const size = random.weighted({ empty: 3, short: 60, medium: 30, long: 5, longest: 1, tooLong: 1 });
    if (size === 'empty') return 0;
    if (size === 'short') return random.between(0, 300);
    if (size === 'medium') return random.between(300, 5000);
    if (size === 'long') return random.between(5000, 70_000);
    return size === 'longest' ? random.between(100_000, 200_000) : TOO_LONG;
  }

  /** @param length of what comes after the header, or 0 for a message without any bytes */
  #message(length = this.#length(), inodes: readonly bigint[] = [], isLast = false): Outgoing {
    const { connection, side, random, ledger } = this.link;
    const isEmpty = length === 0 && !isLast && inodes.length === 0;
    const sequence = ledger.begin(isEmpty);
    if (isEmpty) return { sequence, length: 0, data: random.pick([Buffer.alloc(0), '', []]) };
    const whole = Math.min(TOO_LONG, headerLength(inodes.length) + length);
    const data = encode({ connection, side, sequence, length: whole, isLast, inodes });
    return { sequence, length: whole, data: shaped(data, random) };
  }

  #send(message = this.#message()): Promise<void> {
    const { link } = this;
    const { cancels } = link;
    const signal = link.signal();
    const sent = link.track(`send ${message.sequence}`, link.socket.send(message.data, { signal }));
    return this.#settle(message, sent, signal, cancels);
  }

  #sendWithDescriptors(): Promise<void> {
    const { link } = this;
    const { cancels } = link;
    const { fds, inodes, close } = this.#descriptors();
    const message = this.#message(undefined, inodes);
    const signal = link.signal();
    const name = `sendWithFds ${message.sequence}`;
    const sent = link.track(name, link.socket.sendWithFds(message.data, fds, { signal }));
    close();
    link.count('sent with descriptors');
    return this.#settle(message, sent, signal, cancels);
  }

  /** Files, and ends of pairs of sockets that nothing else has open once they are closed here. */
  #descriptors() {
    const { random, surroundings } = this.link;
    const count = random.weighted({ few: 50, some: 8, all: 1 });
    const left = count === 'few' ? random.between(1, 3) : count === 'some' ? random.between(4, 30) : 253;
    const own: SeqpacketSocket[] = [];
    const fds: FdSource[] = [];
    for (let i = 0; i < left; i++) {
      if (left < 10 && random.chance(0.3)) {
        const [a, b] = SeqpacketSocket.pair();
        own.push(a, b);
        fds.push(random.chance(0.5) ? a : a.fd);
      } else fds.push(random.pick(surroundings.files));
    }
    return {
      fds,
      inodes: fds.map((fd) => inodeOf(typeof fd === 'number' ? fd : (fd as SeqpacketSocket).fd)),
      close: () => {
        for (const socket of own) socket.close();
      },
    };
  }

  #settle(
    message: Outgoing,
    sent: Promise<number>,
    signal: AbortSignal | undefined,
    cancels: number,
  ): Promise<void> {
    const { link } = this;
    return sent.then(
      (bytes) => {
        if (bytes !== message.length) link.fault(`send of ${message.length} bytes returned ${bytes}`);
        this.#sent(message);
      },
      (error) => this.#failed([message], error, signal, cancels),
    );
  }

  #sent({ sequence, length }: Outgoing): void {
    this.link.ledger.sent(sequence);
    this.link.count('sent');
    if (length === TOO_LONG) this.link.fault(`message ${sequence} was sent, although it was too long`);
  }

  /** @param rest the messages that were not sent */
  #failed(rest: readonly Outgoing[], error: Failure, signal: AbortSignal | undefined, cancels: number): void {
    const { link } = this;
    for (const { sequence } of rest) link.ledger.unsent(sequence);
    if (link.wasStopped(error, signal, cancels)) return;
    const { code } = error;
    const [first] = rest;
    if (code === 'EMSGSIZE' && first?.length === TOO_LONG && error.messageSize === TOO_LONG) {
      link.count('too long to send');
      return;
    }
    // Too many descriptors are in messages that nothing has received yet.
    if (code === 'ETOOMANYREFS') return;
    if ((code === 'EPIPE' || code === 'ECONNRESET') && link.peerMayClose) {
      this.#isOver = true;
      return;
    }
    link.fault(`message ${first?.sequence}: ${error}`);
  }

  #sendMany(): Promise<void> {
    const { link } = this;
    const { random, cancels } = link;
    const most = Math.min(random.chance(0.1) ? 150 : 12, MOST - RESERVE - link.ledger.begun);
    const messages = Array.from({ length: random.between(0, most) }, () => this.#message());
    const signal = link.signal();
    const name = `sendMany ${messages[0]?.sequence}-${messages.at(-1)?.sequence}`;
    const data = messages.map((message) => message.data);
    return link.track(name, link.socket.sendMany(data, { signal })).then(
      (count) => {
        if (count !== messages.length) link.fault(`sendMany of ${messages.length} returned ${count}`);
        for (const message of messages) this.#sent(message);
      },
      (error: Failure) => {
        const { messagesSent } = error;
        if (messagesSent === undefined) link.fault(`no messagesSent: ${error}`);
        if (messagesSent) link.count('sendMany interrupted');
        for (const message of messages.slice(0, messagesSent)) this.#sent(message);
        this.#failed(messages.slice(messagesSent), error, signal, cancels);
      },
    );
  }

  /** @returns whether it was sent, or failed, so that it did not have to wait */
  #try(): boolean {
    const { link } = this;
    const { cancels, random } = link;
    const { fds, inodes, close } = random.chance(0.3)
      ? this.#descriptors()
      : { fds: [], inodes: [], close: () => {} };
    const message = this.#message(undefined, inodes);
    try {
      const isSent = link.socket.trySend(message.data, fds);
      if (isSent) this.#sent(message);
      else {
        link.ledger.unsent(message.sequence);
        link.count('refused by trySend');
      }
      return isSent;
    } catch (error) {
      this.#failed([message], error as Failure, undefined, cancels);
      return true;
    } finally {
      close();
    }
  }

  /** When there is room, there is room for a message of any length. */
  async #waitAndTry(): Promise<void> {
    const { link } = this;
    const { cancels } = link;
    const signal = link.signal();
    await link.track('wait write', link.socket.wait('write', { signal })).then(
      () => {
        if (!link.isClosed && !this.#try()) link.fault(`there was no room after wait('write')`);
      },
      (error) => this.#failed([], error, signal, cancels),
    );
  }

  async #write(): Promise<void> {
    const { link } = this;
    const { random, plan, side } = link;
    if (this.#deadWriter === link.session || link.isClosed) return;
    const { cancels, session } = link;
    const writer = link.socket.writable.getWriter();
    const isEmptyLeftOut = plan.modes[side] === 'eof';
    const writes: Promise<void>[] = [];
    for (let left = random.between(1, 6); left > 0; left--) {
      const length = Math.min(this.#length(), 70_000);
      const message = this.#message(isEmptyLeftOut ? length + 1 : length);
      const written = link.track(`write ${message.sequence}`, writer.write(message.data));
      writes.push(
        written.then(
          () => this.#sent(message),
          (error) => {
            this.#deadWriter = session;
            this.#failed([message], error, undefined, cancels);
          },
        ),
      );
    }
    await Promise.all(writes);
    writer.releaseLock();
  }

  /** The last message, and the end of file. */
  async #sayGoodbye(): Promise<void> {
    const { link } = this;
    const { ledger, random } = link;
    for (;;) {
      if (this.#isOver || link.isClosed) return;
      const message = this.#message(random.between(0, 300), [], true);
      if (ledger.begun === MOST) {
        link.fault('the last message was never sent');
        return;
      }
      const { cancels } = link;
      const sent = link.track('last send', link.socket.send(message.data));
      const outcome = await sent.then(
        () => {
          this.#sent(message);
          return true;
        },
        (error) => {
          this.#failed([message], error, undefined, cancels);
          return false;
        },
      );
      if (outcome) break;
    }
    if (link.isClosed) return;
    try {
      if (this.#deadWriter === link.session || random.chance(0.5)) link.socket.shutdown('send');
      else await link.track('close of the stream', link.socket.writable.close());
    } catch (error) {
      // The peer has closed already.
      const isAllowed = link.peerMayClose && (error as Failure).code === 'ENOTCONN';
      if (!isAllowed && !link.isClosed) link.fault(`shutdown: ${error}`);
    }
  }
}
