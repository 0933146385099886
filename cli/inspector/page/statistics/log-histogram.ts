/** Counts durations in classes whose bounds grow by the same factor: 16 for each power of ten, from 1 µs to 1000 s. */

export const PER_DECADE = 16;
const DECADES = 9;
export const CLASSES = PER_DECADE * DECADES;

/** @param duration microseconds */
export function classOf(duration: number): number {
  if (!(duration > 1)) return 0;
  return Math.min(CLASSES - 1, Math.floor(Math.log10(duration) * PER_DECADE));
}

/** The geometric middle of a class, in microseconds. */
export function middleOf(index: number): number {
  return 10 ** ((index + 0.5) / PER_DECADE);
}

/** The lower bound of a class, in microseconds. */
export function boundOf(index: number): number {
  return 10 ** (index / PER_DECADE);
}

/**
 * The duration that this share of all does not exceed.
 *
 * @param counts those of all classes, from `start` on
 * @param total their sum, at least 1
 */
export function percentile(counts: Uint32Array, start: number, total: number, share: number): number {
  let rest = Math.max(1, Math.ceil(share * total));
  for (let index = 0; index < CLASSES; index++) {
    rest -= counts[start + index]!;
    if (rest <= 0) return middleOf(index);
  }
  return middleOf(CLASSES - 1);
}
