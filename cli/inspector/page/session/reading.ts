/** Reads a stream of frames into a session. */
import { FrameReader } from '../../frames.js';
import type { Session } from './session.js';
import { Turns } from './turns.js';

/** @param onChange called after each piece of the stream */
export async function readInto(
  session: Session,
  stream: ReadableStream<Uint8Array>,
  onChange: () => void,
): Promise<void> {
  const frames = new FrameReader();
  const turns = new Turns();
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    frames.push(value, (frame, data) => session.accept(frame, data));
    onChange();
    await turns.next();
  }
  if (frames.hasRest) throw new Error('the stream has ended within a message');
}
