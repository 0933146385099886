/** Checks of what callers pass in. Each throws, with Node's codes, before anything has happened. */
import { types } from 'node:util';
import { invalidType, invalidValue, outOfRange } from './errors';
import { IOV_MAX } from './linux';

/** One buffer, or several that stand for their concatenation (scatter/gather, readv(2)). */
export type Buffers = ArrayBufferView | readonly ArrayBufferView[];

/** Buffers as the operating system layer takes them. */
export type Parts = Uint8Array | readonly Uint8Array[];

const INT32_MAX = 0x7fffffff;

export function partsOf(value: Buffers, name: string): Parts {
  if (!Array.isArray(value)) return bytesOf(value as ArrayBufferView, name);
  if (value.length >= IOV_MAX) throw outOfRange(`${name}.length`, `< ${IOV_MAX}`, value.length);
  return eachOf(value, name, bytesOf);
}

/** What the check makes of every element, also of those that a sparse array has not, which `map` would pass over. */
export function eachOf<T, R>(values: readonly T[], name: string, check: (value: T, name: string) => R): R[] {
  return Array.from(values, (value, index) => check(value, `${name}[${index}]`));
}

function bytesOf(value: ArrayBufferView, name: string): Uint8Array {
  if (value instanceof Uint8Array || types.isUint8Array(value)) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw invalidType(name, 'an instance of Buffer, TypedArray, or DataView, or an array of them', value);
}

/** As {@link partsOf}, for each of an array of messages. */
export function messagesOf(values: readonly Buffers[], name: string): Parts[] {
  const messages: Parts[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Buffers;
    messages.push(value instanceof Uint8Array ? value : partsOf(value, `${name}[${index}]`));
  }
  return messages;
}

export function byteLength(parts: Parts): number {
  if (!Array.isArray(parts)) return (parts as Uint8Array).byteLength;
  let length = 0;
  for (const part of parts) length += part.byteLength;
  return length;
}

export function checkInteger(value: unknown, name: string, min = 0, max = INT32_MAX): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value);
  return value;
}

export function checkOneOf<T extends string>(value: unknown, name: string, allowed: readonly T[]): T {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  if (!allowed.includes(value as T)) {
    throw invalidValue(name, `must be one of: ${allowed.map((one) => `'${one}'`).join(', ')}`, value);
  }
  return value as T;
}

export interface SignalOption {
  /** Aborts the operation while it waits: it then rejects with an `AbortError` and has left no trace. */
  signal?: AbortSignal | undefined;
}

export interface MessageOptions extends SignalOption {
  /** Flags of recvmsg(2) or sendmsg(2), or-ed: see `MessageFlag`. 0 by default. */
  flags?: number | undefined;
}

const NO_OPTIONS = {};

export function checkOptions<T extends object>(options: T | undefined): T {
  if (options === undefined) return NO_OPTIONS as T;
  if (typeof options !== 'object' || options === null)
    throw invalidType('options', 'of type object', options);
  return options;
}

export function signalOf(options: SignalOption | undefined): AbortSignal | undefined {
  const { signal } = checkOptions(options);
  if (signal === undefined) return undefined;
  if (!isAbortSignal(signal)) {
    throw invalidType('options.signal', 'an instance of AbortSignal', signal);
  }
  return signal;
}

/** As Node.js tells one; also an AbortSignal of another realm is one. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false;
  return typeof (value as AbortSignal).addEventListener === 'function';
}

export function flagsOf(options: MessageOptions | undefined): number {
  const { flags } = checkOptions(options);
  return flags === undefined ? 0 : checkInteger(flags, 'options.flags');
}
