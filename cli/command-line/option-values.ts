/** Parses and checks the values of options. */
import { InvalidArgumentError } from 'commander';

export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

/** A regular expression of JavaScript, in which ^ and $ match at each line. */
export function expression(value: string): RegExp {
  try {
    return new RegExp(value, 'm');
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

export function collectExpression(value: string, previous: RegExp[] = []): RegExp[] {
  return [...previous, expression(value)];
}

/** Digits are the number of a descriptor, other text is the name of a file. */
export function collectDescriptor(value: string, previous: (string | number)[] = []): (string | number)[] {
  return [...previous, /^\d+$/.test(value) ? Number(value) : value];
}

export function seconds(value: string): number {
  const number = Number(value);
  // The limit of setTimeout is 2^31 ms.
  if (value.trim() === '' || !(number > 0 && number < 2_000_000)) {
    throw new InvalidArgumentError('A number of seconds, greater than 0.');
  }
  return number;
}

export function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('A whole number, 1 or greater.');
  return Number(value);
}

/** 0 is a free port. */
export function portNumber(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new InvalidArgumentError('A port number, up to 65535.');
  return Number(value);
}

export function size(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('A number of bytes.');
  return Number(value);
}

export function byteCount(value: string): number {
  if (value === 'all') return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('A number, or "all".');
  return Number(value);
}

export function fileMode(value: string): number {
  if (!/^[0-7]{3,4}$/.test(value)) throw new InvalidArgumentError('Octal permissions, as for chmod(1).');
  return Number.parseInt(value, 8);
}
