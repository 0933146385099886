/** Axes: where a value is between the ends, and at which values there are lines. */

export interface Scale {
  min: number;
  max: number;
  isLogarithmic?: boolean;
  /** Ascending. */
  splits: number[];
}

/** From 0 to the first round number at or above the value; with about that many splits. */
export function fromZero(max: number, count: number, base: 2 | 10): Scale {
  const step = base === 2 ? binaryStep(max / count) : decimalStep(max / count);
  const splits: number[] = [];
  for (let at = 0; at < max + step; at += step) splits.push(at);
  return { min: 0, max: splits[splits.length - 1]!, splits };
}

/** 1, 2, 5, 10, 20, …: the first that is not smaller. */
function decimalStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, atLeast)));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= atLeast) ?? 10 * power;
}

function binaryStep(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}

/** Powers of ten around two positive values. */
export function logarithmic(min: number, max: number): Scale {
  const first = Math.floor(Math.log10(min));
  const last = Math.max(first + 1, Math.ceil(Math.log10(max)));
  const splits = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { min: 10 ** first, max: 10 ** last, isLogarithmic: true, splits };
}

/** Seconds between the lines of an axis of time. */
const TIME_STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  3600, 7200, 14_400, 21_600, 43_200, 86_400,
];

/** @param min seconds since 1970, as the maximum */
export function timeScale(min: number, max: number, count: number): Scale {
  const span = Math.max(max - min, 0.001);
  const step = TIME_STEPS.find((each) => span / each <= count) ?? 86_400 * Math.ceil(span / count / 86_400);
  const splits: number[] = [];
  for (let index = Math.ceil(min / step); index * step <= max; index++) splits.push(index * step);
  return { min, max: min + span, splits };
}

/** 0 at the minimum, 1 at the maximum. */
export function shareOf({ min, max, isLogarithmic }: Scale, value: number): number {
  if (!isLogarithmic) return (value - min) / (max - min);
  return Math.log(Math.max(value, min) / min) / Math.log(max / min);
}
