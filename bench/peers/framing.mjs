// Messages on a stream: four bytes of length in front of each.
const HEADER = 4;
/** Up to here copying a message behind its header is cheaper than giving the kernel two pieces. */
const COPIED_UP_TO = 4096;

/** Writes one message; false when the caller should wait for 'drain'. */
export function writeMessage(socket, message) {
  const { length } = message;
  if (length <= COPIED_UP_TO) {
    const frame = Buffer.allocUnsafe(HEADER + length);
    frame.writeUInt32LE(length, 0);
    frame.set(message, HEADER);
    return socket.write(frame);
  }
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32LE(length, 0);
  socket.cork();
  socket.write(header);
  const room = socket.write(message);
  socket.uncork();
  return room;
}

/** Calls back for each message in the chunks of a stream; copies only what lies in several chunks. */
export class MessageParser {
  #onMessage;
  #header = Buffer.alloc(HEADER);
  #headerBytes = 0;
  /** The message of which only the beginning has come. */
  #message;
  #messageBytes = 0;

  constructor(onMessage) {
    this.#onMessage = onMessage;
  }

  push(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#message === undefined) {
        if (this.#headerBytes === 0 && chunk.length - at >= HEADER) {
          const length = chunk.readUInt32LE(at);
          at += HEADER;
          if (chunk.length - at >= length) {
            this.#onMessage(chunk.subarray(at, at + length));
            at += length;
            continue;
          }
          this.#begin(length);
        } else {
          const copied = chunk.copy(this.#header, this.#headerBytes, at);
          at += copied;
          this.#headerBytes += copied;
          if (this.#headerBytes < HEADER) return;
          this.#begin(this.#header.readUInt32LE(0));
        }
      }
      const copied = chunk.copy(this.#message, this.#messageBytes, at);
      at += copied;
      this.#messageBytes += copied;
      if (this.#messageBytes < this.#message.length) return;
      const message = this.#message;
      this.#message = undefined;
      this.#onMessage(message);
    }
  }

  #begin(length) {
    this.#message = Buffer.allocUnsafe(length);
    this.#messageBytes = 0;
    this.#headerBytes = 0;
  }
}
