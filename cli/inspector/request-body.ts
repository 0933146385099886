/** The bodies of requests. Their length is limited. */
import type { IncomingMessage } from 'node:http';

export class TooLong extends Error {
  constructor(limit: number) {
    super(`the body is longer than ${limit} bytes`);
  }
}

/**
 * The pieces of a body. The request is not destroyed when the reader stops, so that it can be answered.
 *
 * @throws {TooLong}
 */
export async function* piecesOf(request: IncomingMessage, limit: number): AsyncGenerator<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new TooLong(limit);
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    length += piece.length;
    if (length > limit) throw new TooLong(limit);
    yield piece;
  }
}

/** @throws {TooLong} */
export async function bodyOf(request: IncomingMessage, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of piecesOf(request, limit)) pieces.push(piece);
  return Buffer.concat(pieces);
}
