import { Sending } from '../expected/sending.js';
import type { SocketModel } from '../expected/socket-model.js';
import type { World } from './world.js';

/** Whether the peer waits to send an empty message: the number of messages a receiveMany has fetched is then unknown. */
export function hasEmptyWaiting(world: World, model: SocketModel): boolean {
  return (world.peerOf(model)?.sends.waiting ?? []).some(
    (each) => each instanceof Sending && each.messages.some(({ data }) => data.length === 0),
  );
}
