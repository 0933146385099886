/** Which rows are shown, apart from what their contents must match. */
import type { Direction } from '../../frames.js';
import { directionOf, HAS_DESCRIPTORS, NO_DIRECTION } from '../messages/flags.js';
import type { MessageStore } from '../messages/store.js';

export interface Criteria {
  /** undefined: both. */
  direction: Direction | undefined;
  /** undefined: all. */
  connections: ReadonlySet<number> | undefined;
  minSize: number | undefined;
  maxSize: number | undefined;
  descriptorsOnly: boolean;
}

export const ALL: Criteria = {
  direction: undefined,
  connections: undefined,
  minSize: undefined,
  maxSize: undefined,
  descriptorsOnly: false,
};

export function passes(store: MessageStore, number: number, criteria: Criteria): boolean {
  const { direction, connections, minSize, maxSize, descriptorsOnly } = criteria;
  if (connections !== undefined && !connections.has(store.connection(number))) return false;
  const flags = store.flags(number);
  if (direction !== undefined && (directionOf(flags) !== direction || (flags & NO_DIRECTION) !== 0))
    return false;
  if (descriptorsOnly && (flags & HAS_DESCRIPTORS) === 0) return false;
  if (minSize === undefined && maxSize === undefined) return true;
  // An event has no size.
  if (store.event(number) !== 0) return false;
  const size = store.size(number);
  return size >= (minSize ?? 0) && size <= (maxSize ?? Number.POSITIVE_INFINITY);
}
