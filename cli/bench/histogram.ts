/** Percentiles, and a histogram drawn with characters. */

export interface Summary {
  count: number;
  mean: number;
  min: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** @param sorted ascending, at least one */
export function summary(sorted: Float64Array): Summary {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, each) => sum + each, 0) / sorted.length,
    min: sorted[0]!,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted[sorted.length - 1]!,
  };
}

const BAR_WIDTH = 40;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const MAX_ROWS = 16;
/** The bounds of the classes: 1, 2, 5, 10, 20, 50, … */
const STEPS = [1, 2, 5];

/**
 * One row for each class of durations.
 *
 * @param sorted microseconds, ascending, at least one
 */
export function histogram(sorted: Float64Array): string {
  const bounds: number[] = [];
  for (let exponent = 0; exponent < 9; exponent++)
    for (const step of STEPS) bounds.push(step * 10 ** exponent);
  const counts = new Map<number, number>();
  for (const value of sorted) {
    const bound = bounds.find((each) => value < each) ?? Number.POSITIVE_INFINITY;
    counts.set(bound, (counts.get(bound) ?? 0) + 1);
  }
  const first = bounds.findIndex((bound) => counts.has(bound));
  const last = bounds.findLastIndex((bound) => counts.has(bound));
  const most = Math.max(...counts.values());
  return bounds
    .slice(first, Math.min(last + 1, first + MAX_ROWS))
    .map((bound) => {
      const count = counts.get(bound) ?? 0;
      const share = ((100 * count) / sorted.length).toFixed(2).padStart(6);
      return `${`< ${bound} µs`.padStart(14)} ${share} % ${bar(count / most)}`.trimEnd();
    })
    .join('\n');
}

function bar(share: number): string {
  const eighths = Math.round(share * BAR_WIDTH * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}
