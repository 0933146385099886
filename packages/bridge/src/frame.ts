/** The frames of a session, to the byte. One frame is the payload of one NATS message; docs/bridge-protocol.md. */

export const VERSION = 1;

/** The type (1 byte), three zero bytes, the number (4 bytes, big-endian). */
export const HEADER_BYTES = 8;

export const FRAME = {
  open: 1,
  answer: 2,
  refuse: 3,
  /** A piece of a message, not the last one. */
  piece: 4,
  /** The last piece of a message, or a whole message. */
  lastPiece: 5,
  credit: 6,
  heartbeat: 7,
  /** The local program sends no more messages. */
  end: 8,
  /** Everything up to the end was delivered to the local program. */
  delivered: 9,
  /** The session has failed. The number of this frame is not checked. */
  reset: 10,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

const LAST_TYPE: number = FRAME.reset;
const EMPTY = new Uint8Array(0);

export interface Frame {
  type: FrameType;
  number: number;
  body: Buffer;
}

/** The number of the next frame in a direction; numbers wrap after 2^32 − 1. */
export function following(number: number): number {
  return (number + 1) >>> 0;
}

export function encodeFrame(type: FrameType, number: number, body: Uint8Array = EMPTY): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.set(body, HEADER_BYTES);
  return writeHeader(frame, type, number);
}

/** Completes a frame whose body is there already. */
export function writeHeader(frame: Buffer, type: FrameType, number: number): Buffer {
  frame.writeUInt32BE(type * 0x1000000, 0);
  frame.writeUInt32BE(number, 4);
  return frame;
}

/** @throws {RangeError} if the payload is not a frame */
export function decodeFrame(payload: Uint8Array): Frame {
  const frame = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (frame.length < HEADER_BYTES) throw new RangeError(`a frame of ${frame.length} bytes`);
  const word = frame.readUInt32BE(0);
  const type = word >>> 24;
  if ((word & 0xffffff) !== 0) throw new RangeError('a frame whose reserved bytes are not zero');
  if (type < 1 || type > LAST_TYPE) throw new RangeError(`a frame of the unknown type ${type}`);
  return { type: type as FrameType, number: frame.readUInt32BE(4), body: frame.subarray(HEADER_BYTES) };
}

/** The body of `end`: how many messages and bytes were sent. */
export function encodeTotals(messages: number, bytes: number): Buffer {
  const body = Buffer.allocUnsafe(16);
  body.writeBigUInt64BE(BigInt(messages), 0);
  body.writeBigUInt64BE(BigInt(bytes), 8);
  return body;
}

/** @throws {RangeError} */
export function decodeTotals(body: Buffer): { messages: number; bytes: number } {
  if (body.length !== 16) throw new RangeError(`an end of ${body.length} bytes`);
  return { messages: Number(body.readBigUInt64BE(0)), bytes: Number(body.readBigUInt64BE(8)) };
}

/** The body of `credit`: the cost up to which the receiver accepts pieces, counted from the start of the session. */
export function encodeCredit(limit: number): Buffer {
  const body = Buffer.allocUnsafe(8);
  body.writeBigUInt64BE(BigInt(limit), 0);
  return body;
}

/** @throws {RangeError} */
export function decodeCredit(body: Buffer): number {
  if (body.length !== 8) throw new RangeError(`a credit of ${body.length} bytes`);
  return Number(body.readBigUInt64BE(0));
}
