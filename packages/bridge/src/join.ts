/** The end beside the clients: each local connection becomes a session. */
import { randomBytes } from 'node:crypto';
import type { Msg } from '@nats-io/transport-node';
import { listen, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { BridgeCore, localProcess } from './bridge.js';
import { type Bridge, BridgeEnd } from './end.js';
import { codeOf, reasonOf } from './failure.js';
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
  return BridgeCore.start(settings, 'join', async (core) => {
    return new Joining(core, listen(settings.address, { emptyMessages: 'deliver', mode }));
  });
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

class Joining extends BridgeEnd {
  readonly #acceptor: SeqpacketAcceptor;

  constructor(core: BridgeCore, acceptor: SeqpacketAcceptor) {
    super(core);
    this.#acceptor = acceptor;
    void this.#accept();
  }

  protected async stop(): Promise<void> {
    this.#acceptor.close();
  }

  async #accept(): Promise<void> {
    while (this.#acceptor.isOpen) {
      try {
        const socket = await this.#acceptor.accept();
        this.track(this.#join(socket));
      } catch (error) {
        if (!this.#acceptor.isOpen) return;
        this.core.log({ event: 'error', reason: `accepting failed: ${reasonOf(error)}` });
        // No descriptor is free: the connection stays in the backlog.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #join(socket: SeqpacketSocket): Promise<void> {
    const name = randomBytes(4).toString('hex');
    const isReserved = this.core.reserve();
    let local: LocalProcess | undefined;
    try {
      local = localProcess(socket);
      const refusal = isReserved ? await this.#open(name, socket, local) : FULL;
      if (refusal === undefined) return;
      socket.close();
      this.core.refuse(name, local, refusal.code, refusal.reason);
    } catch (error) {
      socket.close();
      this.core.refuse(name, local, codeOf(error) ?? 'EIO', reasonOf(error));
    } finally {
      if (isReserved) this.core.release();
    }
  }

  /** Returns why there is no session. */
  async #open(
    name: string,
    socket: SeqpacketSocket,
    local: LocalProcess | undefined,
  ): Promise<{ code: string; reason: string } | undefined> {
    let last: NoSession | undefined;
    let timeouts = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.core.isClosing) return { code: 'ENOTCONN', reason: 'the bridge was closed' };
      if (!this.core.isConnected) return { code: 'ENOTCONN', reason: 'there is no connection to NATS' };
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
      const { subject, host, deadAfter } = this.core.settings;
      const toClient = this.core.newSubject();
      let session: Session | undefined;
      let isGivenUp = false;
      const subscription = this.core.subscribe(toClient, (message) => {
        if (session !== undefined) {
          session.receive(message.data);
          return;
        }
        const answer = readAnswer(message, subject);
        if (isGivenUp) {
          subscription.unsubscribe();
          if (!('reason' in answer)) this.core.tryPublish(answer.toService, TOO_LATE);
        } else if ('reason' in answer) {
          end(answer);
        } else {
          session = this.core.open({
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
      const own = this.core.newTerms();
      const end = (refusal?: NoSession) => {
        clearTimeout(timer);
        this.core.interruptions.delete(interrupted);
        if (refusal !== undefined) {
          this.core.giveBack(own);
          subscription.unsubscribe();
        }
        resolve(refusal);
      };
      const interrupted = (reason: string) => end({ code: 'ENOTCONN', reason, retry: false });
      this.core.interruptions.add(interrupted);
      // Shorter than a session's silence: the server may not have noticed yet that a bridge is gone.
      const patience = Math.ceil(deadAfter / MAX_TIMEOUTS);
      const timer = setTimeout(() => {
        this.core.interruptions.delete(interrupted);
        this.core.giveBack(own);
        isGivenUp = true;
        // If an answer comes, the session of the other bridge has to be ended.
        setTimeout(() => subscription.unsubscribe(), deadAfter).unref();
        resolve({ code: 'ETIMEDOUT', reason: `no answer of a bridge for ${patience / 1000} s`, retry: true });
      }, patience);
      const open: Open = {
        version: VERSION,
        session: name,
        ...own,
        toClient,
        client: { host, ...local },
      };
      try {
        this.core.publish(subject, encodeFrame(FRAME.open, 0, encodeBody(open)), toClient);
      } catch (error) {
        end({ code: codeOf(error) ?? 'EIO', reason: reasonOf(error), retry: false });
      }
    });
  }
}

const FULL = { code: 'EAGAIN', reason: 'the bridge has all the sessions it may have' };

/** The number of this frame is not checked. */
const TOO_LATE = encodeFrame(
  FRAME.reset,
  0,
  encodeBody({ code: 'ETIMEDOUT', reason: 'the answer came too late' }),
);

function readAnswer(message: Msg, subject: string): Answer | NoSession {
  try {
    if (message.headers?.code === NO_RESPONDERS) {
      return {
        code: 'ECONNREFUSED',
        reason: `no bridge serves the subject ${subject}`,
        retry: false,
        isNobody: true,
      };
    }
    const { type, body } = decodeFrame(message.data);
    if (type === FRAME.refuse) return decodeRefusal(body);
    if (type !== FRAME.answer) throw new RangeError(`a frame of type ${type}`);
    return decodeAnswer(body);
  } catch (error) {
    // Also an error of the client of NATS that parses the headers.
    return {
      code: 'EPROTO',
      reason: `an answer that is not one of a bridge: ${reasonOf(error)}`,
      retry: false,
    };
  }
}
