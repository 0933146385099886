/** Wall-clock time in microseconds; `Date` has milliseconds only. */

/** Larger differences mean that the system clock was set. */
const MAX_DRIFT_MS = 2;

let offset = Date.now() - performance.now();

/** Microseconds since 1970. */
export function now(): number {
  const elapsed = performance.now();
  const wall = Date.now();
  if (Math.abs(elapsed + offset - wall) > MAX_DRIFT_MS) offset = wall - elapsed;
  return Math.floor((elapsed + offset) * 1000);
}

function microseconds(time: number): string {
  return String(time % 1_000_000).padStart(6, '0');
}

/** `2026-11-23T12:31:07.123456Z` */
export function isoTime(time: number): string {
  return `${new Date(time / 1000).toISOString().slice(0, 20)}${microseconds(time)}Z`;
}

let cachedSecond = -1;
let cachedText = '';

/** `12:31:07.123456` in local time. */
export function clockTime(time: number): string {
  const second = Math.floor(time / 1_000_000);
  if (second !== cachedSecond) {
    const date = new Date(second * 1000);
    cachedText = [date.getHours(), date.getMinutes(), date.getSeconds()]
      .map((part) => String(part).padStart(2, '0'))
      .join(':');
    cachedSecond = second;
  }
  return `${cachedText}.${microseconds(time)}`;
}
