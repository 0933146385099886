/** The pcapng file format (draft-ietf-opsawg-pcapng), as far as recordings need it. */
import type { Output } from '../process/output.js';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const OPT_END = 0;
const OPT_COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;
const ISB_START_TIME = 2;
const ISB_END_TIME = 3;
const MICROSECONDS = 6;

/** Reserved for private use: a packet is a message without a header. */
const LINKTYPE_USER0 = 147;

/** The direction in epb_flags, from the client's point of view: its messages are outbound. */
export const INBOUND = 1;
export const OUTBOUND = 2;

type Option = [code: number, value: Buffer];

const text = (value: string) => Buffer.from(value.slice(0, 16_384));

/** Two 32-bit numbers, of which the first is the more significant one. */
function timestamp(time: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(Math.floor(time / 2 ** 32), 0);
  bytes.writeUInt32LE(time % 2 ** 32, 4);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function block(type: number, body: Buffer, options: readonly Option[]): Buffer {
  let length = 12 + padded(body.length);
  for (const [, value] of options) length += 4 + padded(value.length);
  if (options.length > 0) length += 4;
  const result = Buffer.alloc(length);
  result.writeUInt32LE(type, 0);
  result.writeUInt32LE(length, 4);
  body.copy(result, 8);
  let at = 8 + padded(body.length);
  for (const [code, value] of options) {
    result.writeUInt16LE(code, at);
    result.writeUInt16LE(value.length, at + 2);
    value.copy(result, at + 4);
    at += 4 + padded(value.length);
  }
  // opt_endofopt is four bytes of zero.
  result.writeUInt32LE(length, length - 4);
  return result;
}

export class PcapngWriter {
  #interfaces = 0;

  constructor(
    private readonly output: Output,
    application: string,
  ) {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
    header.writeUInt16LE(1, 4);
    // Section length -1: unknown.
    header.fill(0xff, 8);
    output.write(block(SECTION_HEADER, header, [[SHB_USERAPPL, text(application)]]));
  }

  /** Adds an interface, and returns its number. */
  interface(name: string, description: string, comment: string): number {
    const body = Buffer.alloc(8);
    body.writeUInt16LE(LINKTYPE_USER0, 0);
    const options: Option[] = [
      [IF_NAME, text(name)],
      [IF_DESCRIPTION, text(description)],
      [IF_TSRESOL, Buffer.from([MICROSECONDS])],
    ];
    if (comment !== '') options.push([OPT_COMMENT, text(comment)]);
    this.output.write(block(INTERFACE_DESCRIPTION, body, options));
    return this.#interfaces++;
  }

  /**
   * Writes when an interface came into use, and when it went out of use, as far as that has happened.
   *
   * @param time microseconds since 1970, as the other two
   */
  statistics(number: number, time: number, start: number | undefined, end?: number): void {
    const body = Buffer.alloc(12);
    body.writeUInt32LE(number, 0);
    timestamp(time).copy(body, 4);
    const options: Option[] = [];
    if (start !== undefined) options.push([ISB_START_TIME, timestamp(start)]);
    if (end !== undefined) options.push([ISB_END_TIME, timestamp(end)]);
    this.output.write(block(INTERFACE_STATISTICS, body, options));
  }

  /** @param time microseconds since 1970 */
  packet(number: number, time: number, flags: number, data: Buffer, comment: string): void {
    const body = Buffer.allocUnsafe(20 + data.length);
    body.writeUInt32LE(number, 0);
    timestamp(time).copy(body, 4);
    body.writeUInt32LE(data.length, 12);
    body.writeUInt32LE(data.length, 16);
    data.copy(body, 20);
    const direction = Buffer.alloc(4);
    direction.writeUInt32LE(flags, 0);
    const options: Option[] = [[EPB_FLAGS, direction]];
    if (comment !== '') options.push([OPT_COMMENT, text(comment)]);
    this.output.write(block(ENHANCED_PACKET, body, options));
  }
}

/** Its objects are the same for all blocks of one interface. */
export interface Interface {
  name: string;
  description: string;
  comment: string;
}

export type PcapngBlock =
  | { type: 'interface'; interface: Interface }
  | { type: 'packet'; interface: Interface; time: number; flags: number; data: Buffer; comment: string }
  /** Times of an interface: microseconds since 1970, as in packets. */
  | { type: 'statistics'; interface: Interface; start: number | undefined; end: number | undefined };

/** A malformed file. */
export class PcapngError extends Error {}

/**
 * Reads a file, in both byte orders. Blocks of other types are ignored.
 *
 * @param pieces the bytes of the file, in pieces of any length
 * @throws {PcapngError}
 */
export async function* readPcapng(pieces: AsyncIterable<Buffer>): AsyncGenerator<PcapngBlock> {
  let interfaces: (Interface & { perSecond: number })[] = [];
  let isLittle = true;
  for await (const bytes of blocks(pieces)) {
    const u16 = (at: number, from = bytes) => (isLittle ? from.readUInt16LE(at) : from.readUInt16BE(at));
    const u32 = (at: number, from = bytes) => (isLittle ? from.readUInt32LE(at) : from.readUInt32BE(at));
    if (bytes.readUInt32LE(0) === SECTION_HEADER) {
      isLittle = bytes.readUInt32LE(8) === BYTE_ORDER_MAGIC;
      interfaces = [];
      continue;
    }
    const end = bytes.length - 4;
    const options = (from: number) => {
      const found: Option[] = [];
      for (let at = from; at + 4 <= end && u16(at) !== OPT_END; at += 4 + padded(u16(at + 2))) {
        found.push([u16(at), bytes.subarray(at + 4, Math.min(at + 4 + u16(at + 2), end))]);
      }
      return found;
    };
    const option = (found: Option[], code: number) => found.find(([each]) => each === code)?.[1];
    const time = (at: number, perSecond: number, from = bytes) => {
      const ticks = u32(at, from) * 2 ** 32 + u32(at + 4, from);
      return perSecond === 1e6 ? ticks : Math.floor((ticks / perSecond) * 1e6);
    };
    switch (u32(0)) {
      case INTERFACE_DESCRIPTION: {
        if (end < 16) throw new PcapngError('an interface is malformed');
        if (u16(8) !== LINKTYPE_USER0) {
          throw new PcapngError(`its link type is ${u16(8)}, not ${LINKTYPE_USER0}`);
        }
        const found = options(16);
        const resolution = option(found, IF_TSRESOL)?.[0] ?? MICROSECONDS;
        const added = {
          name: String(option(found, IF_NAME) ?? `interface ${interfaces.length}`),
          description: String(option(found, IF_DESCRIPTION) ?? ''),
          comment: String(option(found, OPT_COMMENT) ?? ''),
          perSecond: (resolution & 0x80) === 0 ? 10 ** resolution : 2 ** (resolution & 0x7f),
        };
        interfaces.push(added);
        yield { type: 'interface', interface: added };
        break;
      }
      case INTERFACE_STATISTICS: {
        const on = end < 20 ? undefined : interfaces[u32(8)];
        if (on === undefined) throw new PcapngError('statistics are malformed');
        const found = options(20);
        const timeOf = (code: number) => {
          const value = option(found, code);
          return value?.length === 8 ? time(0, on.perSecond, value) : undefined;
        };
        yield {
          type: 'statistics',
          interface: on,
          start: timeOf(ISB_START_TIME),
          end: timeOf(ISB_END_TIME),
        };
        break;
      }
      case ENHANCED_PACKET: {
        if (end < 28) throw new PcapngError('a packet is malformed');
        const captured = u32(20);
        const on = interfaces[u32(8)];
        if (on === undefined || 28 + captured > end) throw new PcapngError('a packet is malformed');
        if (captured !== u32(24)) throw new PcapngError('a message was truncated when it was recorded');
        const found = options(28 + padded(captured));
        const flags = option(found, EPB_FLAGS);
        yield {
          type: 'packet',
          interface: on,
          time: time(12, on.perSecond),
          flags: flags?.length === 4 ? u32(0, flags) : 0,
          data: Buffer.from(bytes.subarray(28, 28 + captured)),
          comment: String(option(found, OPT_COMMENT) ?? ''),
        };
        break;
      }
    }
  }
}

const MAX_BLOCK_BYTES = 64 * 1_048_576;

/** Whole blocks. An incomplete last block, as after a crash, is ignored. */
async function* blocks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let buffered: Buffer = Buffer.alloc(0);
  let isLittle: boolean | undefined;
  for await (const piece of pieces) {
    buffered = buffered.length === 0 ? piece : Buffer.concat([buffered, piece]);
    for (;;) {
      if (buffered.length < 12) break;
      if (buffered.readUInt32LE(0) === SECTION_HEADER)
        isLittle = buffered.readUInt32LE(8) === BYTE_ORDER_MAGIC;
      if (isLittle === undefined) throw new PcapngError('not a pcapng file');
      const length = isLittle ? buffered.readUInt32LE(4) : buffered.readUInt32BE(4);
      if (length < 12 || length % 4 !== 0 || length > MAX_BLOCK_BYTES)
        throw new PcapngError('a block is malformed');
      if (buffered.length < length) break;
      yield buffered.subarray(0, length);
      buffered = buffered.subarray(length);
    }
  }
  if (isLittle === undefined) throw new PcapngError('not a pcapng file');
}
