/**
 * A socket as web streams: one chunk a message, and back-pressure in both directions, since nothing is
 * received before it is asked for and a write is done when the kernel has taken the message.
 */
import type { SeqpacketError } from './errors';
import type { SeqpacketSocket } from './socket';

export function readableOf(socket: SeqpacketSocket): ReadableStream<Uint8Array> {
  const cancelled = new AbortController();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { data } = await socket.receiveMessage({ signal: cancelled.signal });
          controller.enqueue(data);
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

export function writableOf(socket: SeqpacketSocket): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    async write(chunk, controller) {
      // Not yet in the types of Node.js 20.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      // An empty message would look like the end to a peer that does not tell the two apart.
      if (chunk.byteLength === 0 && socket.getOption('emptyMessages') === 'eof') return;
      await socket.send(chunk, { signal });
    },
    close: () => socket.shutdown('send'),
    abort: () => {
      if (socket.isOpen) socket.shutdown('send');
    },
  });
}
