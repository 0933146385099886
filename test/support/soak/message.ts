/**
 * The messages of the soak. A header in ASCII says everything that the receiver can check: the connection, the
 * direction, the sequence number, the length, and the inode of each descriptor; it ends with its checksum. The rest is
 * a section of a table that both processes have, so that every byte is compared.
 */
import { fstatSync } from 'node:fs';
import type { Data } from 'seqpacket';
import { Random } from './random.js';

/** Connection, side, sequence number, length, kind, number of descriptors, checksum. */
export const FIXED = 8 + 1 + 8 + 8 + 1 + 2 + 8;
const INODE = 16;

/** Longer than any message may be that the default send buffer takes. */
export const TOO_LONG = 300_000;

export const TABLE = Buffer.alloc(1 << 20);
{
  const random = new Random(1);
  for (let i = 0; i < TABLE.length; i++) TABLE[i] = random.between(0x20, 0x7e);
}

export interface Header {
  connection: number;
  side: number;
  sequence: number;
  length: number;
  isLast: boolean;
  inodes: readonly bigint[];
}

const hex = (value: number | bigint, digits: number) => value.toString(16).padStart(digits, '0');

/** FNV-1a. */
function checksum(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}

export function headerLength(descriptors: number): number {
  return FIXED + INODE * descriptors;
}

export function inodeOf(fd: number): bigint {
  return fstatSync(fd, { bigint: true }).ino;
}

function body({ connection, side, sequence }: Header, length: number): Buffer {
  const start = (Math.imul(connection * 2 + side, 0x9e3779b1) + Math.imul(sequence, 7919)) >>> 0;
  const at = start % (TABLE.length - TOO_LONG);
  return TABLE.subarray(at, at + length);
}

export function encode(header: Header): Buffer {
  const { connection, side, sequence, length, isLast, inodes } = header;
  const fields = `${hex(connection, 8)}${side}${hex(sequence, 8)}${hex(length, 8)}${isLast ? 'L' : 'M'}${hex(inodes.length, 2)}`;
  const list = inodes.map((inode) => hex(inode, INODE)).join('');
  const data = Buffer.from(fields + hex(checksum(fields + list), 8) + list, 'latin1');
  return Buffer.concat([data, body(header, length - data.length)]);
}

/**
 * @param data the message, or its beginning if that is all that the receiver has
 * @throws if anything in it is wrong
 */
export function decode(data: Uint8Array, length: number): Header {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const text = bytes.toString('latin1', 0, FIXED);
  const number = (from: number, digits: number) => Number.parseInt(text.slice(from, from + digits), 16);
  const descriptors = number(26, 2);
  const isCut = data.length < headerLength(descriptors);
  const list = bytes.toString('latin1', FIXED, headerLength(descriptors));
  const inodes = isCut
    ? []
    : Array.from({ length: descriptors }, (_, i) => BigInt(`0x${list.slice(i * INODE, (i + 1) * INODE)}`));
  const header = {
    connection: number(0, 8),
    side: number(8, 1),
    sequence: number(9, 8),
    length: number(17, 8),
    isLast: text[25] === 'L',
    inodes,
  };
  if (header.length !== length) throw new Error(`length ${length}, and the header says ${text}`);
  if (data.length !== length && data.length > length) throw new Error('more than the message');
  if (isCut) return header;
  if (checksum(text.slice(0, 28) + list) !== number(28, 8)) throw new Error(`corrupt header ${text}`);
  const rest = bytes.subarray(headerLength(descriptors));
  const whole = body(header, length - headerLength(descriptors));
  if (!rest.equals(whole.subarray(0, rest.length))) throw new Error(`corrupt after the header ${text}`);
  return header;
}

const SHAPES = ['buffer', 'view', 'parts', 'string', 'mixed', 'memory', 'shared'] as const;

/** The same bytes in one of the forms that may be sent. */
export function shaped(data: Buffer, random: Random): Data {
  const at = random.between(0, data.length);
  switch (random.pick(SHAPES)) {
    case 'buffer':
      return data;
    case 'view': {
      const memory = new Uint8Array(data.length + 8);
      memory.set(data, 3);
      return new DataView(memory.buffer, 3, data.length);
    }
    case 'parts':
      return [data.subarray(0, at), data.subarray(at)];
    case 'string':
      return data.toString('latin1');
    case 'mixed':
      return [data.toString('latin1', 0, at), new Uint8Array(data.subarray(at)).buffer];
    case 'memory':
      return new Uint8Array(data).buffer;
    case 'shared': {
      const memory = new SharedArrayBuffer(data.length);
      new Uint8Array(memory).set(data);
      return memory;
    }
  }
}
