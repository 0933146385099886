/** Checks of arguments. Each check throws an error with one of Node's codes before the call has any effect. */
import { types } from 'node:util';
import { invalidState, invalidType, invalidValue, outOfRange } from './errors';
import { IOV_MAX } from './system/linux';

/** The memory for one message: one buffer, or an array of buffers that are filled in order (readv(2)). */
export type Buffers = ArrayBufferView | readonly ArrayBufferView[];

/** A part of a message to be sent. A string is sent as UTF-8. */
export type DataPart = ArrayBufferView | ArrayBuffer | SharedArrayBuffer | string;

/** A message to be sent: one part, or an array of parts that are sent as one message (writev(2)). */
export type Data = DataPart | readonly DataPart[];

/** Buffers in the form for the operating system layer. Their lengths change only to 0, and never during a call. */
export type Parts = Uint8Array | readonly Uint8Array[];

const INT32_MAX = 0x7fffffff;

const VIEW = 'an instance of Buffer, TypedArray, or DataView, or an array of them';
const DATA =
  'of type string or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer, or an array of them';

/** Returns the parts of a message to be sent. */
export function checkPartsToSend(value: Data, name: string): Parts {
  return Array.isArray(value) ? eachPart(value, name, bytesToSend) : bytesToSend(value as DataPart, name);
}

/** Returns the parts that receive a message. No two of them may overlap. */
export function checkPartsToFill(value: Buffers, name: string): Parts {
  if (!Array.isArray(value)) return bytesToFill(value as ArrayBufferView, name);
  const parts = eachPart(value, name, bytesToFill).map(withFixedLength);
  if (parts.length > 1) checkDisjoint(parts, name);
  return parts;
}

/** Applies {@link checkPartsToSend} to each message of an array. */
export function checkMessagesToSend(values: readonly Data[], name: string): Parts[] {
  const messages: Parts[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Data;
    messages.push(viewedBytes(value) ?? checkPartsToSend(value, `${name}[${index}]`));
  }
  return messages;
}

/** Applies a check to every element, including the holes of a sparse array, which `map` would skip. */
export function checkEach<T, R>(
  values: readonly T[],
  name: string,
  check: (value: T, name: string) => R,
): R[] {
  return Array.from(values, (value, index) => check(value, `${name}[${index}]`));
}

function eachPart<T>(values: readonly T[], name: string, check: (value: T, name: string) => Uint8Array) {
  if (values.length >= IOV_MAX) throw outOfRange(`${name}.length`, `< ${IOV_MAX}`, values.length);
  return checkEach(values, name, check);
}

function bytesToSend(value: DataPart, name: string): Uint8Array {
  const bytes = viewedBytes(value);
  if (bytes !== undefined) return bytes;
  if (typeof value === 'string') return Buffer.from(value);
  if (types.isAnyArrayBuffer(value)) return wholeMemory(value);
  throw invalidType(name, DATA, value);
}

function bytesToFill(value: ArrayBufferView, name: string): Uint8Array {
  const bytes = viewedBytes(value);
  if (bytes === undefined) throw invalidType(name, VIEW, value);
  return bytes;
}

/** Restores the length of a view whose memory has grown. The result has length 0 if the memory has shrunk. */
export function withLength(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.length < length ? new Uint8Array(0) : bytes.subarray(0, length);
}

/**
 * Returns a view that keeps its length when its memory grows, and has length 0 when its memory shrinks. Needed only for
 * several parts, whose bounds must not move. Reading the `buffer` of a view takes a tenth of a system call.
 */
function withFixedLength(bytes: Uint8Array): Uint8Array {
  return changesLength(bytes.buffer) ? fixedBytes(bytes) : bytes;
}

/**
 * The bytes of a view; undefined for any other value. The check is by internal type, not by `instanceof`: a Proxy of
 * a view passes `instanceof`, but has no memory for the operating system to use.
 */
function viewedBytes(value: unknown): Uint8Array | undefined {
  if (types.isUint8Array(value) && value.length > 0) return value;
  if (!ArrayBuffer.isView(value)) return undefined;
  if (isDetached(value)) throw memoryDetached();
  return fixedBytes(value);
}

function wholeMemory(memory: ArrayBufferLike): Uint8Array {
  try {
    return new Uint8Array(memory, 0, memory.byteLength);
  } catch {
    throw memoryDetached();
  }
}

function memoryDetached(): Error {
  return invalidState('The memory of the buffer was detached, or has become too short');
}

function fixedBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Detects resizable ArrayBuffers and growable SharedArrayBuffers. The types of Node.js 20 lack both. */
function changesLength(memory: ArrayBufferLike & { resizable?: boolean; growable?: boolean }): boolean {
  return (memory.resizable ?? memory.growable) === true;
}

/**
 * Whether a view has lost its memory. Its length is then 0, and only some methods distinguish it from an empty view.
 */
function isDetached(view: ArrayBufferView): boolean {
  try {
    if (types.isDataView(view)) return view.byteLength < 0;
    Uint8Array.prototype.keys.call(view as Uint8Array);
    return false;
  } catch {
    return true;
  }
}

/** Rejects overlapping parts: a later part would overwrite an earlier one, and a too long message could not be kept. */
function checkDisjoint(parts: readonly Uint8Array[], name: string): void {
  const byMemory = new Map<ArrayBufferLike, Uint8Array[]>();
  for (const part of parts) {
    const others = byMemory.get(part.buffer);
    if (others === undefined) byMemory.set(part.buffer, [part]);
    else others.push(part);
  }
  for (const sharing of byMemory.values()) {
    const inOrder = sharing.filter(({ length }) => length > 0).sort((a, b) => a.byteOffset - b.byteOffset);
    let end = 0;
    for (const part of inOrder) {
      if (part.byteOffset < end) throw invalidValue(name, 'must not have parts that overlap', parts);
      end = part.byteOffset + part.length;
    }
  }
}

/** The total length in bytes. Reading `length` takes an eighth of the time of `byteLength`. */
export function byteLength(parts: Parts): number {
  if (!Array.isArray(parts)) return (parts as Uint8Array).length;
  let length = 0;
  for (const part of parts as readonly Uint8Array[]) length += part.length;
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
  /** Aborts the operation while it waits. It then rejects with an `AbortError`, and has had no effect. */
  signal?: AbortSignal | undefined;
}

export interface MessageOptions extends SignalOption {
  /** Flags of recvmsg(2) or sendmsg(2), combined with `|`: see `MessageFlag`. 0 by default. */
  flags?: number | undefined;
}

export interface TimeoutOption {
  /**
   * How long to wait, in milliseconds. After that, the call throws `ETIMEDOUT`, and has had no effect. 0 does not wait.
   * Without a timeout, the call waits without a limit.
   */
  timeout?: number | undefined;
}

const NO_OPTIONS = {};

export function checkOptions<T extends object>(options: T | undefined, name = 'options'): T {
  if (options === undefined) return NO_OPTIONS as T;
  if (isAbortSignal(options)) throw invalidType(name, 'of type object, such as { signal }', options);
  if (
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options)
  ) {
    throw invalidType(name, 'of type object', options);
  }
  return options;
}

export function checkSignal(options: SignalOption | undefined): AbortSignal | undefined {
  const { signal } = checkOptions(options);
  if (signal === undefined) return undefined;
  if (!isAbortSignal(signal)) {
    throw invalidType('options.signal', 'an instance of AbortSignal', signal);
  }
  return signal;
}

/** The same duck-typing that Node.js uses for AbortSignal; it includes those of other realms. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false;
  return typeof (value as AbortSignal).addEventListener === 'function';
}

export function checkFlags(options: { flags?: number | undefined } | undefined): number {
  const { flags } = checkOptions(options);
  return flags === undefined ? 0 : checkInteger(flags, 'options.flags');
}

export function checkTimeout(options: TimeoutOption | undefined): number | undefined {
  const { timeout } = checkOptions(options);
  return timeout === undefined ? undefined : checkInteger(timeout, 'options.timeout');
}
