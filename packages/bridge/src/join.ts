/** The end beside the clients: each local connection becomes a session. */
import { randomBytes } from 'node:crypto';
import type { Msg, Stats } from '@nats-io/transport-node';
import { listen, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { addressText, type Bridge, BridgeCore, type BridgeCounters, localProcess } from './bridge.js';
import { reasonOf } from './failure.js';
import { decodeFrame, encodeFrame, FRAME, VERSION } from './frame.js';
import { type Answer, decodeAnswer, decodeRefusal, encodeBody, type Open } from './hand-shake.js';
import type { LocalProcess } from './log.js';
import { checkedSettings, type JoinOptions } from './options.js';
import type { Session } from './session.js';

/** How many bridges of the queue group are asked before the client is refused. */
const ATTEMPTS = 8;

/** How many of them may leave the request without an answer. */
const MAX_TIMEOUTS = 3;

/** The status of a message of the server: no subscription for the subject. */
const NO_RESPONDERS = 503;

const ACCEPT_PAUSE_MS = 100;

/**
 * Listens locally, and carries each connection to a service that `serveOverNats` offers under the subject.
 *
 * @throws the client's error if the connection to NATS fails; the errors of `listen`
 */
export async function joinOverNats(options: JoinOptions): Promise<Bridge> {
  const settings = checkedSettings(options);
  const { mode } = options;
  const core = await BridgeCore.start(settings, 'join');
  let acceptor: SeqpacketAcceptor;
  try {
    acceptor = listen(settings.address, { emptyMessages: 'deliver', mode });
  } catch (error) {
    await core.close();
    throw error;
  }
  const joining = new Joining(core, acceptor);
  core.log({
    event: 'ready',
    subject: settings.subject,
    address: addressText(settings.address),
    server: core.nats.getServer(),
  });
  return joining;
}

/** Why a request opened no session. */
interface NoSession {
  code: string;
  reason: string;
  /** Whether another bridge may accept. */
  retry: boolean;
  /** Whether no bridge has the subject. */
  isNobody?: boolean;
}

class Joining implements Bridge {
  readonly closed: Promise<void>;
  readonly #core: BridgeCore;
  readonly #acceptor: SeqpacketAcceptor;
  /** Connections without a session yet. */
  readonly #waiting = new Set<SeqpacketSocket>();
  #settled: (() => void) | undefined;

  constructor(core: BridgeCore, acceptor: SeqpacketAcceptor) {
    this.#core = core;
    this.#acceptor = acceptor;
    void this.#accept();
    this.closed = core.nats.closed().then(async (error) => {
      this.#abandon('the connection to NATS was closed');
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
      this.#acceptor.close();
    }
    while (this.#waiting.size > 0) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve;
      });
    }
    await this.#core.emptied();
    await this.#core.close();
  }

  async close(): Promise<void> {
    this.#abandon('the bridge was closed');
    await this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #abandon(reason: string): void {
    this.#core.isDraining = true;
    this.#acceptor.close();
    for (const socket of this.#waiting) socket.close();
    this.#core.failAll(reason);
  }

  async #accept(): Promise<void> {
    while (this.#acceptor.isOpen) {
      try {
        const socket = await this.#acceptor.accept();
        void this.#join(socket);
      } catch (error) {
        if (!this.#acceptor.isOpen) return;
        this.#core.log({ event: 'error', reason: `accepting failed: ${reasonOf(error)}` });
        // No descriptor is free: the connection stays in the backlog.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #join(socket: SeqpacketSocket): Promise<void> {
    const name = randomBytes(4).toString('hex');
    const local = localProcess(socket);
    this.#waiting.add(socket);
    try {
      const refusal = await this.#open(name, socket, local);
      if (refusal === undefined) return;
      socket.close();
      this.#core.refuse(name, local, refusal.code, refusal.reason);
    } finally {
      this.#waiting.delete(socket);
      this.#settled?.();
    }
  }

  /** Returns why there is no session. */
  async #open(
    name: string,
    socket: SeqpacketSocket,
    local: LocalProcess | undefined,
  ): Promise<{ code: string; reason: string } | undefined> {
    if (this.#core.isFull) return { code: 'EAGAIN', reason: 'the bridge has all the sessions it may have' };
    let last: NoSession | undefined;
    let timeouts = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!this.#core.isConnected) return { code: 'ENOTCONN', reason: 'there is no connection to NATS' };
      const refusal = await this.#request(name, socket, local);
      if (refusal === undefined) return undefined;
      // The reason of a bridge that has just left the queue group says more.
      if (refusal.isNobody) return last ?? refusal;
      last = refusal;
      if (refusal.code === 'ETIMEDOUT') timeouts++;
      if (!refusal.retry || timeouts === MAX_TIMEOUTS) break;
    }
    return last;
  }

  /** Asks one bridge of the queue group. The session begins with its answer, before any other frame is taken. */
  #request(
    name: string,
    socket: SeqpacketSocket,
    local: LocalProcess | undefined,
  ): Promise<NoSession | undefined> {
    return new Promise((resolve) => {
      const { subject, host, deadAfter } = this.#core.settings;
      const toClient = this.#core.newSubject();
      const own = this.#core.newTerms();
      let session: Session | undefined;
      const end = (refusal?: NoSession) => {
        clearTimeout(timer);
        this.#core.disconnections.delete(disconnected);
        if (refusal !== undefined) subscription.unsubscribe();
        resolve(refusal);
      };
      const disconnected = () => {
        end({ code: 'ENOTCONN', reason: 'the connection to NATS was lost', retry: false });
      };
      this.#core.disconnections.add(disconnected);
      // Shorter than a session's silence: the server may not have noticed yet that a bridge is gone.
      const patience = deadAfter / MAX_TIMEOUTS;
      const timer = setTimeout(() => {
        end({ code: 'ETIMEDOUT', reason: `no answer of a bridge for ${patience / 1000} s`, retry: true });
      }, patience);
      const subscription = this.#core.subscribe(toClient, (message) => {
        if (session !== undefined) {
          session.receive(message.data);
          return;
        }
        const answer = readAnswer(message, subject);
        if ('reason' in answer) {
          end(answer);
        } else if (!socket.isOpen) {
          end({ code: 'ECANCELED', reason: 'the bridge was closed', retry: false });
        } else {
          session = this.#core.open({
            session: name,
            socket,
            subscription,
            to: answer.toService,
            own,
            other: answer,
            local,
            remote: answer.service,
          });
          end();
        }
      });
      const open: Open = {
        version: VERSION,
        session: name,
        ...own,
        toClient,
        client: { host, ...local },
      };
      this.#core.publish(subject, encodeFrame(FRAME.open, 0, encodeBody(open)), toClient);
    });
  }
}

function readAnswer(message: Msg, subject: string): Answer | NoSession {
  if (message.headers?.code === NO_RESPONDERS) {
    return {
      code: 'ECONNREFUSED',
      reason: `no bridge serves the subject ${subject}`,
      retry: false,
      isNobody: true,
    };
  }
  try {
    const { type, body } = decodeFrame(message.data);
    if (type === FRAME.refuse) return decodeRefusal(body);
    if (type !== FRAME.answer) throw new RangeError(`a frame of type ${type}`);
    return decodeAnswer(body);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return {
      code: 'EPROTO',
      reason: `an answer that is not one of a bridge: ${error.message}`,
      retry: false,
    };
  }
}
