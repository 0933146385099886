/**
 * Frames: the form in which connections and messages pass between the inspector and its page, in both directions. Runs
 * in Node.js and in the browser.
 *
 * A frame is the length of its header and the length of its data in bytes (two 32-bit numbers, little-endian), the header
 * (JSON), and the data.
 */

export type Direction = 'to server' | 'to client';

/** A process at one end. */
export interface EndDescription {
  pid: number;
  uid: number;
  gid: number;
  /** The user's name; `''` if it is unknown. */
  user: string;
  /** The command line; `''` if it is unknown. */
  command: string;
}

/** As in the JSON of `seqpacket trace`: cli/kernel/descriptors.ts. */
export interface DescriptorDescription {
  kind: string;
  target: string;
  access: string;
  size?: number;
  /** Octal permissions of a file, for example `644`. */
  mode?: string;
}

/** The first frame. */
export interface HelloFrame {
  type: 'hello';
  /** What is shown: the addresses of a trace, or the name of a recording. */
  title: string;
  /** Whether messages can still arrive, and be sent. */
  isLive: boolean;
  version: string;
}

export interface ConnectionFrame {
  type: 'connection';
  connection: number;
  /** Microseconds since 1970, as in every frame. */
  time: number;
  client?: EndDescription;
  server?: EndDescription;
  /** One line about both ends; all that a recording knows. */
  peers: string;
}

/** The data of the frame is that of the message. */
export interface MessageFrame {
  type: 'message';
  connection: number;
  time: number;
  direction: Direction;
  fds: DescriptorDescription[];
  credentials?: { pid: number; uid: number; gid: number };
  /** Whether descriptors were lost, for lack of free ones. */
  descriptorsLost?: boolean;
  /** Whether the page has sent it. */
  isSentAgain?: boolean;
}

export interface EventFrame {
  type: 'event';
  connection: number;
  time: number;
  direction?: Direction;
  event: 'end of file' | 'connection reset' | 'not delivered' | 'error' | 'closed';
  detail?: string;
}

/** The kernel's queues of all open connections, twice a second. */
export interface QueuesFrame {
  type: 'queues';
  time: number;
  /** Bytes that wait to be received at the client, and at the server. */
  queues: { connection: number; client: number; server: number }[];
}

/** Messages that were not passed to the page, because it was too slow or opened late. */
export interface LeftOutFrame {
  type: 'left out';
  messages: number;
}

export type Frame = HelloFrame | ConnectionFrame | MessageFrame | EventFrame | QueuesFrame | LeftOutFrame;

const PREFIX_BYTES = 8;
const NO_DATA = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeFrame(frame: Frame, data: Uint8Array = NO_DATA): Uint8Array {
  const header = encoder.encode(JSON.stringify(frame));
  const bytes = new Uint8Array(PREFIX_BYTES + header.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.length, true);
  view.setUint32(4, data.length, true);
  bytes.set(header, PREFIX_BYTES);
  bytes.set(data, PREFIX_BYTES + header.length);
  return bytes;
}

/** Splits a stream of bytes into frames. */
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** Calls back for each frame that is complete. The data is a view, which is valid as long as it is kept. */
  push(piece: Uint8Array, onFrame: (frame: Frame, data: Uint8Array) => void): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length < this.#needed()) return;
    const bytes = this.#joined();
    let at = 0;
    while (at + PREFIX_BYTES <= bytes.length) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at);
      const dataStart = at + PREFIX_BYTES + view.getUint32(0, true);
      const end = dataStart + view.getUint32(4, true);
      if (end > bytes.length) break;
      const frame = JSON.parse(decoder.decode(bytes.subarray(at + PREFIX_BYTES, dataStart))) as Frame;
      onFrame(frame, bytes.subarray(dataStart, end));
      at = end;
    }
    this.#pieces = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#length = bytes.length - at;
  }

  /** Whether there is an incomplete frame. */
  get hasRest(): boolean {
    return this.#length > 0;
  }

  /** The number of bytes that the next frame needs, as far as it is known. */
  #needed(): number {
    if (this.#length < PREFIX_BYTES) return PREFIX_BYTES;
    const first = this.#pieces[0] as Uint8Array;
    const bytes = first.length >= PREFIX_BYTES ? first : this.#joined();
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return PREFIX_BYTES + view.getUint32(0, true) + view.getUint32(4, true);
  }

  #joined(): Uint8Array {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const each of this.#pieces) {
      bytes.set(each, at);
      at += each.length;
    }
    this.#pieces = [bytes];
    return bytes;
  }
}
