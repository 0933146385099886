import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { openDescriptors } from '../../descriptors.js';
import { total } from '../expected/message.js';
import { files } from './files.js';

/** Compares the open descriptors of this process with those that the model expects. */
export class DescriptorCensus {
  /** Descriptors of others, when the descriptors were last read. */
  #others = -1;
  readonly #socketsBefore = countSockets(openDescriptors());

  /** Reading the files of all descriptors is slow: an unchanged number of descriptors suffices, unless thorough. */
  check(expected: Map<string, number>, mayBeOpen: readonly number[], isThorough = false): void {
    const ours = total([...expected.values()]);
    const count = readdirSync('/proc/self/fd').length;
    if (count === ours + this.#others && !isThorough && mayBeOpen.length === 0) return;
    this.#others = count - ours;
    const open = openDescriptors();
    const actual = new Map<string, number>();
    for (const file of open.values()) {
      if (files.includes(file)) actual.set(file, (actual.get(file) ?? 0) + 1);
    }
    const sockets = countSockets(open) - this.#socketsBefore;
    if (sockets !== 0) actual.set('sockets', sockets);
    for (const file of mayBeOpen.map((each) => files[each]!)) {
      const least = expected.get(file) ?? 0;
      if ((actual.get(file) ?? 0) > least) expected.set(file, least + 1);
    }
    assert.deepEqual(byName(actual), byName(expected));
  }
}

const byName = (counts: Map<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));

function countSockets(open: Map<number, string>): number {
  return [...open.values()].filter((name) => name.startsWith('socket:')).length;
}
