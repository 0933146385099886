/**
 * A socket as web streams. Each chunk is one message. There is back-pressure in both directions: a message is received
 * only when the stream is read, and a write completes when the kernel has accepted the message.
 */
import { byteLength, checkPartsToSend, type Data, type SignalOption } from '../arguments';
import { notOpen, type SeqpacketError } from '../errors';
import type { EmptyMessages } from '../messages/empty-messages';
import { ReceiveData, type ReceivingSide } from '../messages/receive-attempts';
import { type Attempt, WOULD_BLOCK } from '../waiting/operation-queue';

export function createReadable(source: () => ReceivingSide | undefined): ReadableStream<Uint8Array> {
  const cancelled = new AbortController();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { receives, receiver } = source() ?? closed();
          await receives.run(new Enqueue(new ReceiveData(receiver), controller), cancelled.signal);
        } catch (error) {
          if (cancelled.signal.aborted) return;
          if ((error as SeqpacketError).code !== 'EOF') throw error;
          controller.close();
        }
      },
      cancel: (reason) => cancelled.abort(reason),
    },
    { highWaterMark: 0 },
  );
}

function closed(): never {
  throw notOpen('recvmsg', true);
}

/** Receives a message and enqueues it in one step, so that a cancelled stream never loses a message. */
class Enqueue implements Attempt<void> {
  constructor(
    private readonly receive: ReceiveData,
    private readonly controller: ReadableStreamDefaultController<Uint8Array>,
  ) {}

  get needsFirstTry(): boolean {
    return this.receive.needsFirstTry;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    const data = this.receive.try();
    if (data === WOULD_BLOCK) return WOULD_BLOCK;
    this.controller.enqueue(data);
  }

  failure(errno: number): Error {
    return this.receive.failure(errno);
  }
}

/** The part of a socket that its writable stream uses. */
interface Sender {
  readonly isOpen: boolean;
  getOption(name: 'emptyMessages'): EmptyMessages;
  send(data: Data, options: SignalOption): Promise<number>;
  shutdown(what: 'send'): void;
}

export function createWritable(socket: Sender): WritableStream<Data> {
  return new WritableStream<Data>({
    async write(chunk, controller) {
      // Not yet in the types of Node.js 20.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      // A peer may take an empty message for the end of file.
      const parts = checkPartsToSend(chunk, 'chunk');
      if (byteLength(parts) === 0 && socket.getOption('emptyMessages') === 'eof') return;
      await socket.send(parts, { signal });
    },
    close: () => socket.shutdown('send'),
    abort: () => {
      if (socket.isOpen) socket.shutdown('send');
    },
  });
}
