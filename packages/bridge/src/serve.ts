/** The end beside the service: each session becomes a connection to it. */
import type { Msg, Subscription } from '@nats-io/transport-node';
import { connect, type SeqpacketSocket } from 'seqpacket';
import { BridgeCore, localProcess } from './bridge.js';
import { type Bridge, BridgeEnd } from './end.js';
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
  return BridgeCore.start(settings, 'serve', async (core) => {
    const serving = new Serving(core, queue);
    // The server has the subscription.
    await core.nats.flush();
    return serving;
  });
}

class Serving extends BridgeEnd {
  readonly #queue: string;
  #subscription: Subscription | undefined;
  #absence: NodeJS.Timeout | undefined;

  constructor(core: BridgeCore, queue: string) {
    super(core);
    this.#queue = queue;
    this.#subscribe();
  }

  #subscribe(): void {
    if (this.core.isDraining || this.core.isClosing) return;
    const { subject } = this.core.settings;
    const take = (message: Msg) => {
      const opening = this.#open(message).catch((error: unknown) => {
        this.core.log({ event: 'error', reason: `a request could not be handled: ${reasonOf(error)}` });
      });
      this.track(opening);
    };
    this.#subscription = this.core.subscribe(subject, take, this.#queue);
  }

  /** Leaves the queue group. Requests that are on the way still get an answer, until this resolves. */
  protected async stop(): Promise<void> {
    clearTimeout(this.#absence);
    this.#absence = undefined;
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription === undefined || this.core.nats.isClosed()) return;
    if (!this.core.isConnected) subscription.unsubscribe();
    else await this.core.whileConnected(subscription.drain());
  }

  /** Leaves the queue group for a while, so that the client's bridge reaches another one. */
  #beAbsent(): void {
    if (this.#absence !== undefined) return;
    void this.stop();
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
      this.core.log({ event: 'error', reason: `a request that is not one of a bridge: ${error.message}` });
      const refusal = { code: 'EPROTO', reason: error.message, retry: false };
      if (message.reply)
        this.core.tryPublish(message.reply, encodeFrame(FRAME.refuse, 0, encodeBody(refusal)));
      return;
    }
    if (this.core.isDraining) {
      this.#refuse(open, { code: 'ECONNREFUSED', reason: 'the bridge is draining', retry: true });
    } else if (!this.core.reserve()) {
      const reason = 'the bridge has all the sessions it may have';
      this.#refuse(open, { code: 'EAGAIN', reason, retry: true });
    } else {
      await this.#connect(open).finally(() => this.core.release());
    }
  }

  async #connect(open: Open): Promise<void> {
    const { address, deadAfter } = this.core.settings;
    const patience = Math.ceil(Math.min(deadAfter, open.deadAfter) / 5);
    let socket: SeqpacketSocket;
    try {
      socket = await connect(address, { emptyMessages: 'deliver', signal: AbortSignal.timeout(patience) });
    } catch (error) {
      const isTimeout = codeOf(error) === 'ABORT_ERR';
      const code = isTimeout ? 'ETIMEDOUT' : (codeOf(error) ?? 'EIO');
      // Before the refusal, so that the server does not send the next request here. An impatient client is no reason.
      if (!isTimeout || open.deadAfter >= deadAfter) this.#beAbsent();
      const reason = isTimeout
        ? `the service did not accept the connection within ${patience / 1000} s`
        : `the service is not there: ${reasonOf(error)}`;
      this.#refuse(open, { code, reason, retry: true });
      return;
    }
    if (this.core.isClosing || !this.core.isConnected) {
      socket.close();
      return;
    }
    try {
      this.#answer(open, socket);
    } catch (error) {
      socket.close();
      this.#refuse(open, { code: codeOf(error) ?? 'EIO', reason: reasonOf(error), retry: true });
    }
  }

  #answer(open: Open, socket: SeqpacketSocket): void {
    const { host } = this.core.settings;
    const local = localProcess(socket);
    const toService = this.core.newSubject();
    const own = this.core.newTerms();
    let session: Session | undefined;
    const subscription = this.core.subscribe(toService, ({ data }) => session?.receive(data));
    const answer: Answer = {
      version: VERSION,
      ...own,
      toClient: open.toClient,
      toService,
      service: { host, ...local },
    };
    try {
      this.core.publish(open.toClient, encodeFrame(FRAME.answer, 0, encodeBody(answer)));
    } catch (error) {
      subscription.unsubscribe();
      this.core.giveBack(own);
      throw error;
    }
    session = this.core.open({
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
    this.core.refuse(open.session, undefined, refusal.code, refusal.reason);
    this.core.tryPublish(open.toClient, encodeFrame(FRAME.refuse, 0, encodeBody(refusal)));
  }
}
