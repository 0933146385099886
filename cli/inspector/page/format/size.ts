/** Lengths in bytes, and numbers. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

/** `512 B`, `1.5 KiB` */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmg]?)i?b?$/i;

/** Reads `100`, `4k`, `1.5 MiB`. Returns undefined if it is no size. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = SIZE.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return Math.round(Number(number) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase()));
}

const numbers = new Intl.NumberFormat('en');

/** `1,234,567` */
export function formatCount(count: number): string {
  return numbers.format(count);
}

/** `1,234 messages`, `1 message` */
export function countOf(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`;
}

/** `950`, `1.2k`, `3.4M`: at most five characters. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  if (count < 999_500) return `${(count / 1000).toFixed(count < 99_950 ? 1 : 0)}k`;
  return `${(count / 1e6).toFixed(1)}M`;
}
