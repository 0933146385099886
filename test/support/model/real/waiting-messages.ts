import { Sending } from '../expected/sending.js';
import type { SocketModel } from '../expected/socket-model.js';
import type { World } from './world.js';

/**
 * Whether the peer waits to send a message that splits a batch: an empty one, or one longer than a slot. The number of
 * messages that the batch has fetched is then unknown.
 */
export function hasSplittingWaiting(
  world: World,
  model: SocketModel,
  slot = Number.POSITIVE_INFINITY,
): boolean {
  if (model.session?.kernel.holdsMessages === false) return false;
  return (world.peerOf(model)?.sends.waiting ?? []).some(
    (each) =>
      each instanceof Sending && each.messages.some(({ data }) => data.length === 0 || data.length > slot),
  );
}
