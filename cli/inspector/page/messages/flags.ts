/** The properties of a row that are true or false, as bits of a number. */
import type { Direction, EventFrame } from '../../frames.js';

export const TO_CLIENT = 1;
export const HAS_DESCRIPTORS = 2;
export const DESCRIPTORS_LOST = 4;
export const SENT_AGAIN = 8;
/** An event of the whole connection. */
export const NO_DIRECTION = 16;

export const EVENTS: readonly EventFrame['event'][] = [
  'end of file',
  'connection reset',
  'not delivered',
  'error',
  'closed',
];

export function directionOf(flags: number): Direction {
  return (flags & TO_CLIENT) === 0 ? 'to server' : 'to client';
}
