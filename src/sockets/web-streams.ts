/**
 * A socket as web streams: one chunk a message, and back-pressure in both directions, since nothing is
 * received before it is asked for and a write is done when the kernel has taken the message.
 */
import { byteLength, type Data, partsToSend } from '../arguments';
import { notOpen, type SeqpacketError } from '../errors';
import type { Source } from './message-iterator';
import { type Attempt, WOULD_BLOCK } from '../waiting/operation-queue';
import { ReceiveData } from '../messages/receiving';
import type { SeqpacketSocket } from './socket';

export function readableOf(source: () => Source | undefined): ReadableStream<Uint8Array> {
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

/** Receives a message and hands it to a stream, in one: no message is taken for a stream that was cancelled. */
class Enqueue implements Attempt<void> {
  constructor(
    private readonly receive: ReceiveData,
    private readonly controller: ReadableStreamDefaultController<Uint8Array>,
  ) {}

  get isUrgent(): boolean {
    return this.receive.isUrgent;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: void is what the promise is for
  try(): void | typeof WOULD_BLOCK {
    const data = this.receive.try();
    if (data === WOULD_BLOCK) return WOULD_BLOCK;
    this.controller.enqueue(data);
  }

  failure(errno: number): Error {
    return this.receive.failure(errno);
  }
}

export function writableOf(socket: SeqpacketSocket): WritableStream<Data> {
  return new WritableStream<Data>({
    async write(chunk, controller) {
      // Not yet in the types of Node.js 20.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      // An empty message would look like the end to a peer that does not tell the two apart.
      const parts = partsToSend(chunk, 'chunk');
      if (byteLength(parts) === 0 && socket.getOption('emptyMessages') === 'eof') return;
      await socket.send(parts, { signal });
    },
    close: () => socket.shutdown('send'),
    abort: () => {
      if (socket.isOpen) socket.shutdown('send');
    },
  });
}
