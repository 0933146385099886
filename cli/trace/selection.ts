/** Selects messages of a recording. */
import { isUtf8 } from 'node:buffer';
import type { Recorded } from './recording.js';

/** A message is selected if it has all of these properties. */
export interface Selection {
  /** The sender. */
  direction?: 'client' | 'server' | undefined;
  /** Bytes. */
  minSize?: number | undefined;
  maxSize?: number | undefined;
  /** A part of the contents, as text: UTF-8, otherwise Latin-1. */
  match?: RegExp | undefined;
  /** Whether the message has descriptors. */
  descriptors?: boolean | undefined;
}

/** With a selection, nothing but messages is selected; without one, everything is. */
export function isSelected(
  recorded: Recorded,
  { direction, minSize, maxSize, match, descriptors }: Selection,
): boolean {
  const wanted = [direction, minSize, maxSize, match, descriptors];
  if (wanted.every((each) => each === undefined)) return true;
  if (recorded.type !== 'message') return false;
  const { data } = recorded.message;
  if (direction !== undefined && recorded.direction !== (direction === 'client' ? 'to server' : 'to client'))
    return false;
  if (minSize !== undefined && data.length < minSize) return false;
  if (maxSize !== undefined && data.length > maxSize) return false;
  if (descriptors && recorded.descriptions.length === 0) return false;
  return match === undefined || match.test(data.toString(isUtf8(data) ? 'utf8' : 'latin1'));
}
