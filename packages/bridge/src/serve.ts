/** The end beside the service: each session becomes a connection to it. */
import type { Msg, Stats, Subscription } from '@nats-io/transport-node';
import { connect, type SeqpacketSocket } from 'seqpacket';
import { addressText, type Bridge, BridgeCore, type BridgeCounters, localProcess } from './bridge.js';
import { codeOf, reasonOf } from './failure.js';
import { decodeFrame, encodeFrame, FRAME, VERSION } from './frame.js';
import { type Answer, decodeOpen, encodeBody, type Open, type Refusal } from './hand-shake.js';
import { checkedSettings, checkName, DEFAULT_QUEUE, type ServeOptions } from './options.js';
import type { Session } from './session.js';

/** How long a bridge stays out of the queue group after its service was not there. */
const ABSENCE_MS = 1000;

/**
 * Offers a local service under a subject of NATS. Several bridges with the same subject and queue group share the
 * sessions; each session stays with the bridge that accepted it.
 *
 * @throws the client's error if the connection to NATS fails
 */
export async function serveOverNats(options: ServeOptions): Promise<Bridge> {
  const settings = checkedSettings(options);
  const queue = checkName(options.queue ?? DEFAULT_QUEUE, 'queue');
  const core = await BridgeCore.start(settings, 'serve');
  const serving = new Serving(core, queue);
  await core.nats.flush();
  core.log({
    event: 'ready',
    subject: settings.subject,
    address: addressText(settings.address),
    server: core.nats.getServer(),
  });
  return serving;
}

class Serving implements Bridge {
  readonly closed: Promise<void>;
  readonly #core: BridgeCore;
  readonly #queue: string;
  #subscription: Subscription | undefined;
  #absence: NodeJS.Timeout | undefined;
  /** Requests whose connection to the service is not there yet. */
  readonly #opening = new Set<Promise<void>>();

  constructor(core: BridgeCore, queue: string) {
    this.#core = core;
    this.#queue = queue;
    this.#subscribe();
    this.closed = core.nats.closed().then(async (error) => {
      void this.#leave();
      core.isDraining = true;
      core.failAll('the connection to NATS was closed');
      await core.close();
      if (error instanceof Error) throw error;
    });
    this.closed.catch(() => {});
  }

  get counters(): BridgeCounters {
    return this.#core.counters;
  }

  natsStats(): Stats {
    return this.#core.nats.stats();
  }

  async drain(): Promise<void> {
    if (!this.#core.isDraining) {
      this.#core.isDraining = true;
      this.#core.log({ event: 'draining', sessions: this.#core.sessionCount });
      await this.#leave();
    }
    await Promise.all(this.#opening);
    await this.#core.emptied();
    await this.#core.close();
  }

  async close(): Promise<void> {
    this.#core.isDraining = true;
    void this.#leave();
    this.#core.failAll('the bridge was closed');
    await this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #subscribe(): void {
    if (this.#core.isDraining || this.#core.nats.isClosed()) return;
    const { subject } = this.#core.settings;
    const take = (message: Msg) => {
      const opening = this.#open(message).finally(() => this.#opening.delete(opening));
      this.#opening.add(opening);
    };
    this.#subscription = this.#core.subscribe(subject, take, this.#queue);
  }

  /** Leaves the queue group. Requests that are on the way still get an answer, until this resolves. */
  async #leave(): Promise<void> {
    clearTimeout(this.#absence);
    this.#absence = undefined;
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription === undefined || this.#core.nats.isClosed()) return;
    if (!this.#core.isConnected) subscription.unsubscribe();
    else await this.#core.whileConnected(subscription.drain());
  }

  /** Leaves the queue group for a while, so that the client's bridge reaches another one. */
  #beAbsent(): void {
    if (this.#absence !== undefined) return;
    void this.#leave();
    this.#absence = setTimeout(() => {
      this.#absence = undefined;
      this.#subscribe();
    }, ABSENCE_MS);
    this.#absence.unref();
  }

  async #open(message: Msg): Promise<void> {
    let open: Open;
    try {
      const { type, body } = decodeFrame(message.data);
      if (type !== FRAME.open) throw new RangeError(`a frame of type ${type}`);
      open = decodeOpen(body);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#core.log({ event: 'error', reason: `a request that is not one of a bridge: ${error.message}` });
      const refusal = { code: 'EPROTO', reason: error.message, retry: false };
      if (message.reply) this.#core.publish(message.reply, encodeFrame(FRAME.refuse, 0, encodeBody(refusal)));
      return;
    }
    if (this.#core.isDraining) {
      this.#refuse(open, { code: 'ECONNREFUSED', reason: 'the bridge is draining', retry: true });
    } else if (this.#core.isFull) {
      this.#refuse(open, {
        code: 'EAGAIN',
        reason: 'the bridge has all the sessions it may have',
        retry: true,
      });
    } else {
      await this.#connect(open);
    }
  }

  async #connect(open: Open): Promise<void> {
    const { address, deadAfter } = this.#core.settings;
    let socket: SeqpacketSocket;
    try {
      const signal = AbortSignal.timeout(Math.min(deadAfter, open.deadAfter) / 5);
      socket = await connect(address, { emptyMessages: 'deliver', signal });
    } catch (error) {
      const code = codeOf(error) === 'ABORT_ERR' ? 'ETIMEDOUT' : (codeOf(error) ?? 'EIO');
      // Before the refusal, so that the server does not send the next request here.
      this.#beAbsent();
      this.#refuse(open, { code, reason: `the service is not there: ${reasonOf(error)}`, retry: true });
      return;
    }
    if (this.#core.nats.isClosed() || !this.#core.isConnected) {
      socket.close();
      return;
    }
    this.#answer(open, socket);
  }

  #answer(open: Open, socket: SeqpacketSocket): void {
    const { host } = this.#core.settings;
    const local = localProcess(socket);
    const toService = this.#core.newSubject();
    const own = this.#core.newTerms();
    let session: Session | undefined;
    const subscription = this.#core.subscribe(toService, ({ data }) => session?.receive(data));
    const answer: Answer = {
      version: VERSION,
      ...own,
      toClient: open.toClient,
      toService,
      service: { host, ...local },
    };
    this.#core.publish(open.toClient, encodeFrame(FRAME.answer, 0, encodeBody(answer)));
    session = this.#core.open({
      session: open.session,
      socket,
      subscription,
      to: open.toClient,
      own,
      other: open,
      local,
      remote: open.client,
    });
  }

  #refuse(open: Open, refusal: Refusal): void {
    this.#core.refuse(open.session, undefined, refusal.code, refusal.reason);
    this.#core.publish(open.toClient, encodeFrame(FRAME.refuse, 0, encodeBody(refusal)));
  }
}
