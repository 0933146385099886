/** Waiting for whoever reads what a stream has been given. */
import type { Writable } from 'node:stream';

/** Until there is room in the stream again, or nobody will read what is written to it. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
