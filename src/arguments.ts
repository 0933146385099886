/** Checks of what callers pass in. Each throws, with Node's codes, before anything has happened. */
import { types } from 'node:util';
import { invalidState, invalidType, invalidValue, outOfRange } from './errors';
import { IOV_MAX } from './system/linux';

/** One buffer, or several that stand for their concatenation (scatter/gather, readv(2)). */
export type Buffers = ArrayBufferView | readonly ArrayBufferView[];

/** A part of a message to be sent: a string stands for its bytes in UTF-8. */
export type DataPart = ArrayBufferView | ArrayBuffer | SharedArrayBuffer | string;

/** A message to be sent: one part, or several that stand for their concatenation (scatter/gather, writev(2)). */
export type Data = DataPart | readonly DataPart[];

/** Buffers as the operating system layer takes them: their lengths change only to 0, and not during a call. */
export type Parts = Uint8Array | readonly Uint8Array[];

const INT32_MAX = 0x7fffffff;

const VIEW = 'an instance of Buffer, TypedArray, or DataView, or an array of them';
const DATA =
  'of type string or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer, or an array of them';

/** The parts of a message to be sent. */
export function checkPartsToSend(value: Data, name: string): Parts {
  return Array.isArray(value) ? eachPart(value, name, bytesToSend) : bytesToSend(value as DataPart, name);
}

/** The parts that a message is received into. No two of them may overlap. */
export function checkPartsToFill(value: Buffers, name: string): Parts {
  if (!Array.isArray(value)) return bytesToFill(value as ArrayBufferView, name);
  const parts = eachPart(value, name, bytesToFill).map(withFixedLength);
  if (parts.length > 1) checkDisjoint(parts, name);
  return parts;
}

/** As {@link checkPartsToSend}, for each of an array of messages. */
export function checkMessagesToSend(values: readonly Data[], name: string): Parts[] {
  const messages: Parts[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Data;
    messages.push(viewedBytes(value) ?? checkPartsToSend(value, `${name}[${index}]`));
  }
  return messages;
}

/** What the check makes of every element, also of those that a sparse array has not, which `map` would pass over. */
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

/** A view whose memory has grown, with the length that it had before; of length 0 if the memory has shrunk. */
export function withLength(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.length < length ? new Uint8Array(0) : bytes.subarray(0, length);
}

/**
 * A view that keeps its length when its memory grows; when that shrinks, the length is 0. Only for several parts, whose
 * bounds must not move: to get at the memory of a view takes as long as a tenth of a system call.
 */
function withFixedLength(bytes: Uint8Array): Uint8Array {
  return changesLength(bytes.buffer) ? fixedBytes(bytes) : bytes;
}

/**
 * The bytes of a view; undefined for anything else. The brand decides: a Proxy of a view is an `instanceof` its
 * class, but has no memory that the operating system could use.
 */
function viewedBytes(value: unknown): Uint8Array | undefined {
  if (types.isUint8Array(value) && value.length > 0) return value;
  if (!ArrayBuffer.isView(value)) return undefined;
  if (lostItsMemory(value)) throw memoryGone();
  return fixedBytes(value);
}

function wholeMemory(memory: ArrayBufferLike): Uint8Array {
  try {
    return new Uint8Array(memory, 0, memory.byteLength);
  } catch {
    throw memoryGone();
  }
}

function memoryGone(): Error {
  return invalidState('The memory of the buffer was detached, or has become too short');
}

function fixedBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Resizable ArrayBuffers and growable SharedArrayBuffers, which Node.js 20 has but its types have not. */
function changesLength(memory: ArrayBufferLike & { resizable?: boolean; growable?: boolean }): boolean {
  return (memory.resizable ?? memory.growable) === true;
}

/** A view has the length 0 then, as an empty one has: only some of its methods distinguish the two. */
function lostItsMemory(view: ArrayBufferView): boolean {
  try {
    if (types.isDataView(view)) return view.byteLength < 0;
    Uint8Array.prototype.keys.call(view as Uint8Array);
    return false;
  } catch {
    return true;
  }
}

/** Where parts overlap, the later one overwrites the earlier one, and a message that is too long cannot be kept. */
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

export function checkFlags(options: MessageOptions | undefined): number {
  const { flags } = checkOptions(options);
  return flags === undefined ? 0 : checkInteger(flags, 'options.flags');
}
