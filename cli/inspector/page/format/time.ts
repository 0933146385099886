/** Points in time and durations. */

const two = (value: number) => String(value).padStart(2, '0');

function clock(microseconds: number): string {
  const date = new Date(microseconds / 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `12:31:07.123` in local time. */
export function clockTime(microseconds: number): string {
  return `${clock(microseconds)}.${String(Math.floor(microseconds / 1000) % 1000).padStart(3, '0')}`;
}

/** `12:31:07.123456` in local time. */
export function exactTime(microseconds: number): string {
  return `${clock(microseconds)}.${String(microseconds % 1e6).padStart(6, '0')}`;
}

/** `2026-11-27` in local time. */
export function day(microseconds: number): string {
  const date = new Date(microseconds / 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Three digits and a unit: `85 µs`, `1.25 ms`, `12.4 s`. */
export function formatDuration(microseconds: number): string {
  if (microseconds < 999.5) return `${Math.round(microseconds)} µs`;
  if (microseconds < 999_500) return `${threeDigits(microseconds / 1000)} ms`;
  return `${threeDigits(microseconds / 1e6)} s`;
}

function threeDigits(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/** `100 µs`, `2 ms`: for round durations. */
export function roundDuration(microseconds: number): string {
  return formatDuration(microseconds)
    .replace(/\.0+(?= )/, '')
    .replace(/(\.[1-9])0(?= )/, '$1');
}

/** `12:31:07`, or `12:31:07.250`, in local time. @param seconds since 1970 */
export function shortTime(seconds: number): string {
  const milliseconds = Math.round(seconds * 1000);
  return milliseconds % 1000 === 0 ? clock(milliseconds * 1000) : clockTime(milliseconds * 1000);
}
